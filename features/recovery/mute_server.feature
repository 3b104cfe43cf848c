@mechanism-subscribe-notify
Feature: The server does not answer
  The base repeats an unanswered SUBSCRIBE by the book, gives it up, and comes back when the server does.

  @ID-REC-MUTE-001 @REQ-SUB-04
  Scenario: The server is silent to every SUBSCRIBE for a while
    Given the server is silent to every SUBSCRIBE
    When the base is switched on
    Then handset "Anna" is registered within 10 seconds
    And the base repeats its first SUBSCRIBE for Anna during 40 seconds
    When the server speaks again
    Then handset "Anna" is synchronised within 400 seconds

  @ID-REC-MUTE-002 @REQ-SUB-04
  Scenario: Over TCP nothing is repeated
    Given the base is provisioned for TCP
    And the server is silent to every SUBSCRIBE
    When the base is switched on
    Then handset "Anna" is registered within 10 seconds
    And the base does not repeat its first SUBSCRIBE for Anna during 40 seconds

  @ID-REC-MUTE-003 @REQ-SUB-04 @REQ-CHG-01
  Scenario: A change is lost twice on the way
    Given handset "Anna" is synchronised with the server
    And the network loses the next 2 messages from the base
    When Anna turns Do Not Disturb on in the menu
    Then the server has Do Not Disturb on for Anna within 5 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
