@mechanism-subscribe-notify
Feature: The server has the last word
  What the user asks for at the handset counts only once the server notifies it. A base that shows the request instead of the
  answer leaves its user wrong about who can reach them.

  Background:
    Given handset "Anna" is synchronised with the server

  @ID-BSFT-DND-020 @REQ-CHG-06 @REQ-CHG-09
  Scenario: The server decides otherwise on Do Not Disturb
    Given the server notifies Do Not Disturb off whatever it is asked
    When Anna turns Do Not Disturb on in the menu
    Then Anna's menu shows Do Not Disturb off within 3 seconds of the NOTIFY
    And Anna's idle screen shows Do Not Disturb off
    And the base does not ask again for 60 seconds

  @ID-BSFT-CF-020 @REQ-CHG-06
  Scenario: The server keeps another number
    Given the server notifies call forwarding always on to 9999 whatever it is asked
    When Anna sets call forwarding always on to 2424 in the menu
    Then Anna's menu shows call forwarding always on to 9999 within 3 seconds of the NOTIFY
    And Anna's idle screen shows call forwarding always on to 9999
    And the base does not ask again for 60 seconds

  @ID-BSFT-DND-021 @REQ-CHG-06
  Scenario: The old state comes before the new one
    Given the server notifies the old state before the new one
    When Anna turns Do Not Disturb on in the menu
    Then the server has Do Not Disturb on for Anna within 2 seconds
    And Anna's idle screen shows Do Not Disturb on within 3 seconds of the NOTIFY
    And the base does not ask again for 60 seconds
