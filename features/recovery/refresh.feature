@mechanism-subscribe-notify
Feature: Subscriptions are refreshed in time
  The life that the server grants drives the refresh, not the life that the base asked for.

  @ID-REC-REF-001 @REQ-REF-01 @REQ-REF-02 @wire
  Scenario: The server grants a short life
    Given the server grants subscriptions for 8 seconds
    And handset "Anna" is synchronised with the server
    When the subscription of Anna is refreshed
    Then the base has 1 subscription for Anna
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

  @ID-REC-REF-002 @REQ-REF-01 @REQ-REF-02
  Scenario Outline: The server grants <life> seconds again and again
    Given the server grants subscriptions for <life> seconds
    And handset "Anna" is synchronised with the server
    Then the subscription of Anna lives on for <length> seconds
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

    Examples:
      | life | length |
      | 120  | 1800   |
      | 600  | 3600   |
      | 1800 | 5400   |

  @ID-REC-REF-003 @REQ-REF-02
  Scenario: An answer without Expires causes no loop
    Given the server leaves Expires out of its answers to SUBSCRIBE
    And handset "Anna" is synchronised with the server
    Then the base sends at most 10 SUBSCRIBEs for Anna in 300 seconds
