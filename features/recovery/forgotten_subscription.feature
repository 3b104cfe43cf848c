@mechanism-subscribe-notify
Feature: The server has forgotten the subscription
  A base that is told 481, or whose subscription is ended, starts a new one and shows the full state that comes with it.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-REC-481-001 @REQ-REF-01 @REQ-MENU-01
  Scenario: The refresh is answered 481
    When the server forgets the subscription of Anna
    And the portal turns Do Not Disturb on for Anna
    And the subscription of Anna comes up for refresh
    Then handset "Anna" is synchronised within 30 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

  @ID-REC-TERM-001 @REQ-SUB-01 @REQ-NOT-02 @wire
  Scenario Outline: The server ends the subscription with reason <reason>
    When the server ends the subscription of Anna with reason <reason>
    Then the base subscribes for Anna within 10 seconds
    And handset "Anna" is synchronised within 10 seconds

    Examples:
      | reason      |
      | deactivated |
      | timeout     |
