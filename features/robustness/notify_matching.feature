@mechanism-subscribe-notify
Feature: Only a NOTIFY of a known subscription counts
  A NOTIFY that belongs to no subscription, to another package, or to the past is refused and changes nothing.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-ROB-MATCH-001 @REQ-NOT-05
  Scenario Outline: A NOTIFY with <strange>
    When the server sends Anna a NOTIFY of Do Not Disturb on with <strange>
    Then the base answers the NOTIFY with 481 within 500 milliseconds
    And Anna's idle screen shows Do Not Disturb off
    And Anna's menu shows Do Not Disturb off

    Examples:
      | strange            |
      | an unknown Call-ID |
      | an unknown To tag  |

  @ID-ROB-MATCH-002 @REQ-NOT-06
  Scenario Outline: A NOTIFY of Event <event>
    When the server sends Anna a NOTIFY of Do Not Disturb on with Event <event>
    Then the base answers the NOTIFY with 489 or 481 within 500 milliseconds
    And Anna's idle screen shows Do Not Disturb off

    Examples:
      | event                 |
      | presence              |
      | As-Feature-Event      |
      | as-feature-event;id=7 |

  @ID-ROB-MATCH-003 @REQ-NOT-06
  Scenario: Other parameters of Event do not matter
    When the server sends Anna a NOTIFY of Do Not Disturb on with Event as-feature-event;param=x
    Then the base answers the NOTIFY with 200 within 500 milliseconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

  @ID-ROB-MATCH-004 @REQ-NOT-04
  Scenario: A NOTIFY from the past
    When the server sends Anna a NOTIFY of Do Not Disturb on with a CSeq 1 lower than the last
    Then the base answers the NOTIFY with 500 within 500 milliseconds
    And Anna's idle screen shows Do Not Disturb off
    When the server sends Anna a NOTIFY of Do Not Disturb on with a CSeq 1000 higher than the last
    Then the base answers the NOTIFY with 200 within 500 milliseconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

  @ID-ROB-MATCH-005 @REQ-NOT-03
  Scenario: The same NOTIFY again
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    When the server sends Anna the last NOTIFY again
    Then the base answers every copy of the NOTIFY alike
    And Anna's menu shows Do Not Disturb on
