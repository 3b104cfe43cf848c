Feature: Accounts register and stay registered
  Each account has its own registration, keeps its Call-ID, counts up its CSeq, and renews before the server forgets it.

  @ID-DEV-REG-001 @REQ-REG-01 @wire
  Scenario: The server grants a short registration
    Given the server grants registrations for 6 seconds
    When the base is switched on
    Then handset "Anna" is registered within 10 seconds
    And the base registers Anna 2 more times within 15 seconds
    And handset "Anna" stays registered

  @ID-DEV-REG-002 @REQ-REG-01
  Scenario: Registrations are renewed for an hour
    Given the server grants registrations for 90 seconds
    When the base is switched on
    Then handset "Anna" is registered within 10 seconds
    And handset "Anna" stays registered for 3600 seconds

  @mechanism-subscribe-notify @ID-DEV-REG-003 @REQ-REG-02
  Scenario: No subscription before the registration
    Given the server is silent to the next 3 REGISTERs
    When the base is switched on
    Then the base subscribes for Anna within 10 seconds of her registration

  @mechanism-subscribe-notify @ID-DEV-REG-004 @REQ-REG-05 @REQ-MENU-02
  Scenario: Every account subscribes for itself
    Given handset "Anna" is synchronised with the server
    And handset "Ben" is synchronised with the server
    Then the base has 1 subscription for Anna
    And the base has 1 subscription for Ben
