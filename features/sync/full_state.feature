@mechanism-subscribe-notify
Feature: The full state comes with every subscription
  After each successful subscription, first or renewed, the server sends every service, and the handset takes all of it.

  @ID-BSFT-FULL-001 @REQ-REG-02 @REQ-SUB-01 @REQ-SUB-02 @REQ-SUB-03 @REQ-BODY-02 @wire
  Scenario: The state at the server is shown after the base starts
    Given the server has Do Not Disturb on for Anna
    And the server has call forwarding busy on to 2425 for Anna
    And the server has call forwarding no answer on to 2426 after 6 rings for Anna
    When the base is switched on
    Then the base subscribes for Anna within 10 seconds of her registration
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Anna's menu shows call forwarding busy on to 2425
    And Anna's menu shows call forwarding no answer on to 2426 after 6 rings
    And Anna's menu shows call forwarding always off

  @ID-BSFT-FULL-002 @REQ-REF-01 @REQ-REF-03 @REQ-SUB-03
  Scenario: A change that was never notified is shown after the refresh
    Given handset "Anna" is synchronised with the server
    And the server loses the NOTIFYs of its changes
    When the portal turns Do Not Disturb on for Anna
    And the subscription of Anna is refreshed
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Anna's menu shows Do Not Disturb on

  @ID-BSFT-FULL-003 @REQ-REF-01 @REQ-REF-03 @REQ-CHG-09
  Scenario: Ten equal refreshes change nothing
    Given the server grants subscriptions for 120 seconds
    And handset "Anna" is synchronised with the server
    And the portal has set call forwarding always on to 2424 for Anna
    When the subscription of Anna is refreshed 10 times
    Then Anna's idle screen shows call forwarding always on to 2424
    And the base asks the server for nothing for 60 seconds

  @ID-BSFT-FULL-005 @REQ-SUB-03 @REQ-REF-03
  Scenario: A refresh repeats no change
    Given handset "Anna" is synchronised with the server
    When Anna turns Do Not Disturb on in the menu
    Then the server has Do Not Disturb on for Anna within 2 seconds
    When the subscription of Anna is refreshed
    Then the base asks the server for nothing for 60 seconds
    And Anna's idle screen shows Do Not Disturb on

  @ID-BSFT-FULL-004 @REQ-BODY-02
  Scenario Outline: The parts come in the order <order>
    Given the server sends the full state in the order <order>
    And the server has Do Not Disturb on for Anna
    And the server has call forwarding always on to 3001 for Anna
    And the server has call forwarding busy on to 3002 for Anna
    And the server has call forwarding no answer on to 3003 after 2 rings for Anna
    When the base is switched on
    Then handset "Anna" is synchronised within 20 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Anna's menu shows call forwarding always on to 3001
    And Anna's menu shows call forwarding busy on to 3002
    And Anna's menu shows call forwarding no answer on to 3003 after 2 rings

    Examples:
      | order                  |
      | DND, CFA, CFB, CFNA    |
      | CFNA, CFB, CFA, DND    |
      | CFA, CFB, CFNA, DND    |
