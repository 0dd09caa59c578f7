# The reference of services.osmoda that stands at the end of docs/nixos.md, made from an evaluated system.
{ lib, system }:
let
  documented = lib.filter (option: option.visible && !option.internal) (
    lib.optionAttrSetToDocList system.options.services.osmoda
  );
  shown = value: value.text or (lib.generators.toPretty { } value);
  # In one line where it fits one, else as a block.
  field =
    name: text:
    if lib.hasInfix "\n" text then
      "- ${name}:\n\n  ```nix\n${indent text}\n  ```\n"
    else
      "- ${name}: `${text}`\n";
  indent = text: lib.concatMapStringsSep "\n" (line: "  ${line}") (lib.splitString "\n" text);
  entry = option: ''
    ### `${option.name}`

    ${lib.trim option.description}

    - type: ${option.type}${lib.optionalString option.readOnly " (only to be read)"}
    ${lib.optionalString (option ? default) (field "default" (shown option.default))}${
      lib.optionalString (option ? example) (field "example" (shown option.example))
    }'';

  setting =
    value:
    if lib.isList value then
      lib.concatMapStringsSep " " toString value
    else
      lib.generators.mkValueStringDefault { } value;
  unit =
    name: exceptions:
    "\n### `${name}`\n\n| setting | value | why |\n|---|---|---|\n"
    + lib.concatStrings (
      lib.mapAttrsToList (
        name: exception:
        "| `${name}` | ${
          lib.optionalString (setting exception.value != "") "`${setting exception.value}`"
        } | ${exception.reason} |\n"
      ) exceptions
    );
in
''
  ## Options

  ${lib.concatMapStringsSep "\n" entry documented}
  ## What each sandbox lets through
  All else is shut by the one list in `modules/lib.nix`.
''
+ lib.concatStrings (lib.mapAttrsToList unit system.config.services.osmoda.sandboxExceptions)
