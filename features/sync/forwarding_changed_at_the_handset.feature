@mechanism-subscribe-notify
Feature: Call forwarding is changed at the handset
  Each kind of forwarding goes to the server with its number, and with its rings where it has them, and comes back as the server
  keeps it.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-BSFT-CF-001 @REQ-CHG-01 @REQ-CHG-03 @REQ-BODY-01 @wire
  Scenario Outline: The user turns <service> on
    When Anna sets <setting> in the menu
    Then the base asks the server for <setting> within 2 seconds
    And the server has <setting> for Anna within 2 seconds
    And Anna's idle screen shows <shown> within 3 seconds of the NOTIFY
    And Anna's menu shows <setting>

    Examples:
      | service                   | setting                                            | shown                                |
      | call forwarding always    | call forwarding always on to 2424                  | call forwarding always on to 2424    |
      | call forwarding busy      | call forwarding busy on to 2425                    | call forwarding busy on to 2425      |
      | call forwarding no answer | call forwarding no answer on to 2426 after 4 rings | call forwarding no answer on to 2426 |

  @ID-BSFT-CF-002 @REQ-CHG-03
  Scenario Outline: The user turns <service> off
    Given the portal has set <before> for Anna
    When Anna turns <service> off in the menu
    Then the base asks the server for <service> off within 2 seconds
    And the server has <service> off for Anna within 2 seconds
    And Anna's idle screen shows <service> off within 3 seconds of the NOTIFY
    And Anna's menu shows <service> off

    Examples:
      | service                   | before                                             |
      | call forwarding always    | call forwarding always on to 2424                  |
      | call forwarding busy      | call forwarding busy on to 2425                    |
      | call forwarding no answer | call forwarding no answer on to 2426 after 4 rings |

  @ID-BSFT-CF-003 @REQ-CHG-04
  Scenario: The user changes only the number of rings
    Given the portal has set call forwarding no answer on to 2426 after 4 rings for Anna
    When Anna sets call forwarding no answer on to 2426 after 2 rings in the menu
    Then the base asks the server for call forwarding no answer on to 2426 after 2 rings within 2 seconds
    And the server has call forwarding no answer on to 2426 after 2 rings for Anna within 2 seconds
    And Anna's menu shows call forwarding no answer on to 2426 after 2 rings
