@mechanism-subscribe-notify
Feature: Call forwarding is changed at the server
  Each kind of forwarding that the portal sets appears in its own menu entry, with its number and rings, and nowhere else.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-BSFT-CF-010 @REQ-BODY-01 @REQ-MENU-01 @REQ-MENU-03
  Scenario Outline: The portal sets <setting>
    When the portal sets <setting> for Anna
    Then the base answers the NOTIFY with 200 within 500 milliseconds
    And Anna's idle screen shows <shown> within 3 seconds of the NOTIFY
    And Anna's menu shows <setting>
    And Anna's menu shows <other> off
    When the portal turns <service> off for Anna
    Then Anna's idle screen shows <service> off within 3 seconds of the NOTIFY
    And Anna's menu shows <service> off

    @wire
    Examples: Always
      | service                | setting                           | shown                             | other                |
      | call forwarding always | call forwarding always on to 2424 | call forwarding always on to 2424 | call forwarding busy |

    Examples: Busy and no answer
      | service                   | setting                                            | shown                                | other                     |
      | call forwarding busy      | call forwarding busy on to 2425                    | call forwarding busy on to 2425      | call forwarding no answer |
      | call forwarding no answer | call forwarding no answer on to 2426 after 3 rings | call forwarding no answer on to 2426 | call forwarding busy      |

  @ID-BSFT-CF-011 @REQ-BODY-01
  Scenario: All services at once stay apart
    When the portal sets call forwarding always on to 3001 for Anna
    And the portal sets call forwarding busy on to 3002 for Anna
    And the portal sets call forwarding no answer on to 3003 after 5 rings for Anna
    And the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Anna's menu shows call forwarding always on to 3001
    And Anna's menu shows call forwarding busy on to 3002
    And Anna's menu shows call forwarding no answer on to 3003 after 5 rings
    And Anna's menu shows Do Not Disturb on
