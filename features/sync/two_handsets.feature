@mechanism-subscribe-notify
Feature: Two handsets of one base do not leak into each other
  Each account has its own subscription, its own state and its own handset.

  Background:
    Given handset "Anna" is synchronised with the server
    And handset "Ben" is synchronised with the server

  @ID-BSFT-TWO-001 @REQ-MENU-02 @REQ-REG-05 @wire
  Scenario: A change at the server for one
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Ben's idle screen shows Do Not Disturb off
    And Ben's menu shows Do Not Disturb off

  @ID-BSFT-TWO-002 @REQ-MENU-02 @REQ-REG-05 @REQ-CHG-01
  Scenario: A change at one handset
    When Ben sets call forwarding always on to 2424 in the menu
    Then the server has call forwarding always on to 2424 for Ben within 2 seconds
    And the server has call forwarding always off for Anna within 2 seconds
    And Ben's idle screen shows call forwarding always on to 2424 within 3 seconds of the NOTIFY
    And Anna's idle screen shows call forwarding always off
    And Anna's menu shows call forwarding always off
