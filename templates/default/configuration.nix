# What the machine does.
{
  services.osmoda.enable = true;

  users.users.admin = {
    isNormalUser = true;
    extraGroups = [
      "osmoda" # may ask osModa's daemons
      "osmoda-operator" # answers for the machine
      "wheel"
    ];
  };
  # The ssh key is the proof; there is no password to ask for.
  security.sudo.wheelNeedsPassword = false;

  system.stateVersion = "26.05";
}
