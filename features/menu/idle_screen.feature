@mechanism-subscribe-notify
Feature: The idle screen tells the truth at a glance
  A user who looks at the resting handset sees every service that is active, and none that is not.

  @ID-MENU-IDLE-001 @REQ-MENU-01 @REQ-MENU-02 @REQ-MENU-03
  Scenario: Services come and go
    Given handset "Anna" is synchronised with the server
    When the portal turns Do Not Disturb on for Anna
    And the portal sets call forwarding busy on to 2425 for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Anna's idle screen shows call forwarding busy on to 2425 within 3 seconds of the NOTIFY
    When the portal turns Do Not Disturb off for Anna
    Then Anna's idle screen shows Do Not Disturb off within 3 seconds of the NOTIFY
    And Anna's idle screen shows call forwarding busy on to 2425
