# One of two machines that know each other; the other is mesh-a.
{
  imports = [ ./example-uefi.nix ];

  networking.interfaces.eth0.ipv4.addresses = [
    {
      address = "192.0.2.12";
      prefixLength = 24;
    }
  ];
  networking.usePredictableInterfaceNames = false;
}
