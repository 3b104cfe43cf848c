@mechanism-subscribe-notify
Feature: The network is bad
  Loss, duplication and reordering are everyday events on UDP. None of it may leave a handset with the wrong state.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-REC-NET-001 @REQ-NOT-03
  Scenario: The answer to a NOTIFY is lost
    Given the network loses the next 2 messages from the base
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And the base answers every copy of the NOTIFY alike

  @ID-REC-NET-002 @REQ-MENU-01
  Scenario: A fifth of all messages is lost
    Given the network loses 20 percent of all messages
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 40 seconds
    When Anna sets call forwarding always on to 2424 in the menu
    Then the server has call forwarding always on to 2424 for Anna within 40 seconds
    And Anna's idle screen shows call forwarding always on to 2424 within 40 seconds

  @ID-REC-NET-003 @REQ-NOT-03
  Scenario: Every message comes twice
    Given the network duplicates every message
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    When Anna turns Do Not Disturb off in the menu
    Then the server has Do Not Disturb off for Anna within 2 seconds
    And Anna's idle screen shows Do Not Disturb off within 3 seconds of the NOTIFY
