@mechanism-subscribe-notify
Feature: The ringer's own Do Not Disturb is not the service
  Handsets have a local Do Not Disturb in their audio settings. It silences the ringer, is nobody's business but the handset's, and
  must not be mistaken for the service.

  @ID-MENU-DND-001 @REQ-CHG-09 @REQ-MENU-01
  Scenario: The local setting stays local
    Given handset "Anna" is synchronised with the server
    When Anna turns the ringer's Do Not Disturb on
    Then the base asks the server for nothing for 60 seconds
    And Anna's menu shows Do Not Disturb off
    And the server has Do Not Disturb off for Anna
