# Yours to edit.
{
  services.osmoda.enable = true;
}
