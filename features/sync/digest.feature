@mechanism-subscribe-notify
Feature: The base proves who it is
  The server challenges requests by digest. The base answers once, with the right nonce, and does not run in circles.

  @ID-BSFT-AUTH-001 @REQ-FAIL-05 @wire
  Scenario: A SUBSCRIBE is challenged and answered
    Given the server challenges every new SUBSCRIBE
    When the base is switched on
    Then handset "Anna" is synchronised within 20 seconds
    And the base answered a challenge of a SUBSCRIBE for Anna

  @ID-BSFT-AUTH-002 @REQ-FAIL-06
  Scenario: The nonce has gone stale when the subscription is refreshed
    Given handset "Anna" is synchronised with the server
    When the server forgets its nonces
    And the subscription of Anna is refreshed
    Then the base answered a challenge of a SUBSCRIBE for Anna
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

  @ID-BSFT-AUTH-003 @REQ-FAIL-06 @REQ-CHG-01
  Scenario: The nonce has gone stale when the user changes something
    Given handset "Anna" is synchronised with the server
    When the server forgets its nonces
    And Anna turns Do Not Disturb on in the menu
    Then the server has Do Not Disturb on for Anna within 2 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

  @ID-BSFT-AUTH-004 @REQ-FAIL-05
  Scenario: The server refuses the credentials again and again
    Given the server refuses the credentials of every SUBSCRIBE
    When the base is switched on
    Then handset "Anna" is registered within 10 seconds
    And the base sends at most 4 SUBSCRIBEs for Anna in 60 seconds

  @ID-BSFT-AUTH-005 @REQ-FAIL-06
  Scenario: A 401 without a challenge
    Given handset "Anna" is synchronised with the server
    When the server answers SUBSCRIBEs with 401 and no challenge
    And the subscription of Anna comes up for refresh
    Then the base sends at most 11 SUBSCRIBEs for Anna in 300 seconds
    When the server speaks again
    Then handset "Anna" is synchronised within 2000 seconds
