@mechanism-subscribe-notify
Feature: The base restarts
  After a power cut or a reboot the base shows what the server says, and pushes nothing by itself.

  @ID-DEV-BOOT-001 @REQ-REG-02 @REQ-CHG-09
  Scenario: A change during the power cut
    Given handset "Anna" is synchronised with the server
    When the base loses its power
    And the portal turns Do Not Disturb on for Anna
    And the base is switched on again after 60 seconds
    Then handset "Anna" is synchronised within 30 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And the base asks the server for nothing for 60 seconds

  @ID-DEV-BOOT-010 @REQ-REG-02 @REQ-CHG-09 @console
  Scenario: A reboot with a state at the server
    Given handset "Anna" is synchronised with the server
    When the portal turns Do Not Disturb on for Anna
    And an administrator reboots the base on its console
    Then handset "Anna" is synchronised within 30 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And the base asks the server for nothing for 60 seconds
