@mechanism-subscribe-notify
Feature: The server does not know the event package
  A server without feature key synchronisation answers 489. The base stays registered and leaves the server in peace.

  @ID-BSFT-489-001 @REQ-FAIL-03
  Scenario Outline: The server answers <status> to every SUBSCRIBE
    Given the server answers every SUBSCRIBE with <status>
    When the base is switched on
    Then handset "Anna" is registered within 10 seconds
    And the base sends at most 2 SUBSCRIBEs for Anna in 1800 seconds
    And handset "Anna" stays registered

    Examples:
      | status |
      | 489    |
      | 403    |
