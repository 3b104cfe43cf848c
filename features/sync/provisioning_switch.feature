@mechanism-subscribe-notify
Feature: Provisioning switches feature key synchronisation
  FeatureKeySyncActive is off until provisioning sets it to 1, for each handset on its own, and takes effect without a reboot.

  @ID-BSFT-PROV-001 @REQ-REG-03 @REQ-REG-05
  Scenario: Switched off, the base keeps its hands off
    Given handset "Anna" has feature key synchronisation off
    When the base is switched on
    Then handset "Anna" is registered within 10 seconds
    And the base does not subscribe for Anna for 120 seconds
    When Anna turns Do Not Disturb on in the menu
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds
    And the base sends nothing for Anna's services for 60 seconds

  @ID-BSFT-PROV-002 @REQ-REG-03
  Scenario: Absent means off
    Given handset "Anna" has no switch for feature key synchronisation
    When the base is switched on
    Then handset "Anna" is registered within 10 seconds
    And the base does not subscribe for Anna for 120 seconds

  @ID-BSFT-PROV-003 @REQ-REG-02 @REQ-REG-03
  Scenario: One handset on, the other off
    Given handset "Ben" has feature key synchronisation off
    And handset "Anna" is synchronised with the server
    Then the base does not subscribe for Ben for 120 seconds
    When the portal turns Do Not Disturb on for Anna
    Then Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And Ben's idle screen shows Do Not Disturb off

  @ID-BSFT-PROV-004 @REQ-REG-02 @REQ-SUB-01 @wire
  Scenario: Switched on while running
    Given handset "Anna" has feature key synchronisation off
    And the server has Do Not Disturb on for Anna
    And handset "Anna" is registered
    When provisioning switches feature key synchronisation on for Anna
    Then the base subscribes for Anna within 10 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

  @ID-SYNC-PROV-010 @REQ-REG-02 @REQ-SUB-01 @console
  Scenario: Switched on while running, by a command on the console
    Given handset "Anna" has feature key synchronisation off
    And the server has Do Not Disturb on for Anna
    And handset "Anna" is registered
    When an administrator switches feature key synchronisation on for Anna and has the base fetch its file
    Then the base subscribes for Anna within 10 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY

  @ID-BSFT-PROV-005 @REQ-SUB-08 @REQ-REG-02
  Scenario: Switched off and on again while running
    Given handset "Anna" is synchronised with the server
    When provisioning switches feature key synchronisation off for Anna
    Then the base ends the subscription of Anna within 10 seconds
    And the base does not subscribe for Anna for 120 seconds
    When provisioning switches feature key synchronisation on for Anna
    Then the base subscribes for Anna within 10 seconds
