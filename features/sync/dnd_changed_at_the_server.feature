@mechanism-subscribe-notify
Feature: Do Not Disturb is changed at the server
  A change at the web portal reaches the handset without anybody touching it.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-BSFT-DND-010 @REQ-MENU-01 @REQ-MENU-03 @REQ-NOT-02 @REQ-BODY-01 @wire
  Scenario: The portal turns Do Not Disturb on and off
    When the portal turns Do Not Disturb on for Anna
    Then the base answers the NOTIFY with 200 within 500 milliseconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Anna's menu shows Do Not Disturb on
    When the portal turns Do Not Disturb off for Anna
    Then Anna's idle screen shows Do Not Disturb off within 3 seconds of the NOTIFY
    And Anna's menu shows Do Not Disturb off

  @ID-BSFT-DND-011 @REQ-CHG-09
  Scenario: The base does not push back what it was told
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And the base asks the server for nothing for 60 seconds

  @ID-BSFT-DND-012 @REQ-MENU-01
  Scenario: An open menu follows the server
    Given Anna has the Do Not Disturb menu open
    When the portal turns Do Not Disturb on for Anna
    Then the open menu shows Anna Do Not Disturb on within 3 seconds of the NOTIFY
