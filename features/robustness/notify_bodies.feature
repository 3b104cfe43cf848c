@mechanism-subscribe-notify
Feature: Notified documents come in many forms
  Servers fill the documents differently. What does not matter must not matter, and what is wrong must do no harm.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-ROB-BODY-001 @REQ-BODY-07
  Scenario Outline: The device element is <device>
    Given the server writes <device> as the device
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    When the portal sets call forwarding busy on to 2425 for Anna
    Then Anna's menu shows call forwarding busy on to 2425 within 3 seconds of the NOTIFY

    Examples:
      | device           |
      | the own number   |
      | another number   |
      | nothing          |
      | a notKnown child |
      | no element       |

  @ID-ROB-BODY-002 @REQ-BODY-11
  Scenario Outline: The ring count is <rings>
    Given the portal has set call forwarding no answer on to 2426 after 3 rings for Anna
    And the server writes <rings> as the ring count
    When the portal sets call forwarding no answer on to 2427 after 3 rings for Anna
    Then Anna's menu shows call forwarding no answer on to 2427 after 3 rings within 3 seconds of the NOTIFY
    When Anna sets call forwarding no answer on to 2428 in the menu
    Then the base asks the server for call forwarding no answer on to 2428 after 3 rings within 2 seconds

    Examples:
      | rings      |
      | nothing    |
      | no element |
      | 0          |
      | 101        |
      | x          |

  @ID-ROB-BODY-003 @REQ-MENU-01
  Scenario Outline: The body is no document that a base may believe: <body>
    When the server sends Anna a bad NOTIFY of Do Not Disturb on: <body>
    Then Anna's idle screen goes on showing Do Not Disturb off for 3 seconds
    When the portal turns Do Not Disturb on for Anna
    And the subscription of Anna is up to date
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds

    Examples:
      | body                              |
      | its root element has no end       |
      | an entity bomb stands before it   |
      | its type is unsupported           |
      | it has bytes that no document has |
