@mechanism-subscribe-notify
Feature: The base takes its leave
  When synchronisation ends for a handset, the base ends the subscription instead of leaving it to run out.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-BSFT-UNSUB-001 @REQ-SUB-08 @wire
  Scenario: Provisioning switches the handset off
    When provisioning switches feature key synchronisation off for Anna
    Then the base ends the subscription of Anna within 10 seconds
    And the base answers the NOTIFY with 200 within 500 milliseconds
    And the base has no subscription for Anna

  @ID-BSFT-UNSUB-002 @REQ-SUB-08
  Scenario: A closing NOTIFY with reason noresource does not lock the handset out
    Given the server closes subscriptions with reason noresource
    When provisioning switches feature key synchronisation off for Anna
    Then the base ends the subscription of Anna within 10 seconds
    When provisioning switches feature key synchronisation on for Anna
    Then the base subscribes for Anna within 10 seconds
    And handset "Anna" is synchronised within 10 seconds

  @ID-BSFT-UNSUB-003 @REQ-SUB-08
  Scenario: The account is deleted
    When provisioning deletes the account of Anna
    Then the base ends the subscription of Anna within 10 seconds
    And the base has no subscription for Anna
