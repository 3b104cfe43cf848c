@mechanism-subscribe-notify
Feature: The NOTIFY overtakes the answer
  A NOTIFY may arrive before the answer to the SUBSCRIBE that it belongs to. It counts.

  @ID-ROB-EARLY-001 @REQ-NOT-01 @wire
  Scenario: The first NOTIFY comes before the 200
    Given the server sends its NOTIFY 50 milliseconds before its answer
    And the server has Do Not Disturb on for Anna
    When the base is switched on
    Then handset "Anna" is synchronised within 20 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And the base has 1 subscription for Anna

  @ID-ROB-EARLY-003 @REQ-NOT-01
  Scenario: The base does not subscribe once more
    Given the server sends its NOTIFY 50 milliseconds before its answer
    When the base is switched on
    Then handset "Anna" is synchronised within 20 seconds
    And the base sends at most 2 SUBSCRIBEs for Anna in 60 seconds

  @ID-ROB-EARLY-002 @REQ-NOT-01 @REQ-CHG-01
  Scenario: The confirmation comes before the 200
    Given handset "Anna" is synchronised with the server
    And the server sends its NOTIFY 50 milliseconds before its answer
    When Anna turns Do Not Disturb on in the menu
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Anna's menu shows Do Not Disturb on
