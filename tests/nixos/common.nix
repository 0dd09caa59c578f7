# What the machines of all tests share: osModa as its defaults are, and people and programs to test it with.
{
  globalTimeout = 1200;
  defaults =
    { pkgs, ... }:
    {
      services.osmoda.enable = true;

      environment.systemPackages = [
        pkgs.curl
        pkgs.jq
        pkgs.python3
      ];

      users.users = {
        # Answers for the machine.
        osmoda-test-operator = {
          isSystemUser = true;
          group = "osmoda-operator";
          extraGroups = [ "osmoda" ];
        };
        # May open the sockets and is nobody to osModa.
        osmoda-test-member = {
          isSystemUser = true;
          group = "osmoda";
        };
        # May not even open them.
        osmoda-test-stranger = {
          isSystemUser = true;
          group = "osmoda-test-stranger";
        };
        # The agent itself; its module comes with the gateway.
        osmoda-agent = {
          isSystemUser = true;
          group = "osmoda";
        };
      };
      users.groups.osmoda-test-stranger = { };
    };
}
