@mechanism-subscribe-notify
Feature: Do Not Disturb is changed at the handset
  What the user asks for at the handset reaches the server, and the handset shows what the server then says.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-BSFT-DND-001 @REQ-CHG-01 @REQ-CHG-02 @REQ-MENU-01 @wire @smoke
  Scenario: The user turns Do Not Disturb on
    When Anna turns Do Not Disturb on in the menu
    Then the base asks the server for Do Not Disturb on within 2 seconds
    And the server has Do Not Disturb on for Anna within 2 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Anna's menu shows Do Not Disturb on

  @ID-BSFT-DND-002 @REQ-CHG-01 @REQ-CHG-02 @REQ-MENU-01
  Scenario: The user turns Do Not Disturb off again
    Given the portal has turned Do Not Disturb on for Anna
    When Anna turns Do Not Disturb off in the menu
    Then the base asks the server for Do Not Disturb off within 2 seconds
    And the server has Do Not Disturb off for Anna within 2 seconds
    And Anna's idle screen shows Do Not Disturb off within 3 seconds of the NOTIFY
    And Anna's menu shows Do Not Disturb off

  @ID-BSFT-DND-003 @REQ-CHG-01
  Scenario: On, off and on again in a row
    When Anna turns Do Not Disturb on in the menu
    Then the server has Do Not Disturb on for Anna within 2 seconds
    And Anna's menu shows Do Not Disturb on
    When Anna turns Do Not Disturb off in the menu
    Then the server has Do Not Disturb off for Anna within 2 seconds
    And Anna's menu shows Do Not Disturb off
    When Anna turns Do Not Disturb on in the menu
    Then the server has Do Not Disturb on for Anna within 2 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
