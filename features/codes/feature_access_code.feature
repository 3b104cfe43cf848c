@mechanism-feature-codes @mechanism-subscribe-notify
Feature: A service is changed by a feature access code
  The user dials a code as an ordinary call. The server changes the service and notifies the base, as for a change at the portal.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-BSFT-FAC-001 @REQ-MENU-01 @REQ-CHG-09 @wire
  Scenario: Do Not Disturb on and off by code
    When Anna dials the feature access code for Do Not Disturb on
    Then the server has Do Not Disturb on for Anna within 2 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    When Anna dials the feature access code for Do Not Disturb off
    Then the server has Do Not Disturb off for Anna within 2 seconds
    And Anna's idle screen shows Do Not Disturb off within 3 seconds of the NOTIFY

  @ID-BSFT-FAC-002 @REQ-MENU-01 @REQ-BODY-01
  Scenario Outline: <service> by code
    When Anna dials the feature access code for <service> on to 2424
    Then the server has <service> on to 2424 for Anna within 2 seconds
    And Anna's idle screen shows <service> on to 2424 within 3 seconds of the NOTIFY
    And Anna's menu shows <service> on to 2424

    Examples:
      | service                |
      | call forwarding always |
      | call forwarding busy   |
