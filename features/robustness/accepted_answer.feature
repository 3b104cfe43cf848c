@mechanism-subscribe-notify
Feature: 202 is as good as 200
  Some servers answer 202 to every SUBSCRIBE. The base waits for the NOTIFY and does not subscribe again.

  @ID-ROB-202-001 @REQ-SUB-05
  Scenario: The server answers 202
    Given the server answers SUBSCRIBEs with 202
    And handset "Anna" is synchronised with the server
    Then the base has 1 subscription for Anna
    And the base does not subscribe for Anna for 120 seconds
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
