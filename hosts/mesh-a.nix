# One of two machines that know each other; the other is mesh-b.
{
  imports = [ ./example-uefi.nix ];

  networking.interfaces.eth0.ipv4.addresses = [
    {
      address = "192.0.2.11";
      prefixLength = 24;
    }
  ];
  networking.usePredictableInterfaceNames = false;
}
