# dockerTools.buildLayeredImage. Here, an image has one layer.
{
  only,
  make,
}: given: let
  inherit (builtins) attrNames toJSON;
  args =
    only "buildLayeredImage" [
      "name"
      "tag"
      "fromImage"
      "contents"
      "config"
      "architecture"
      "created"
      "mtime"
      "uid"
      "gid"
      "uname"
      "gname"
      "maxLayers"
      "extraCommands"
      "fakeRootCommands"
      "enableFakechroot"
      "includeStorePaths"
      "includeNixDB"
      "compressor"
    ]
    given;
  # Docker ignores a key of the configuration that it does not know.
  config = only "buildLayeredImage: config" ["Cmd" "Entrypoint" "Env" "ExposedPorts" "Labels" "StopSignal" "User" "Volumes" "WorkingDir"] (args.config or {});
  contents = args.contents or [];
  # Everything that the image has to have: the contents, and what the configuration names.
  roots = make.text "${baseNameOf args.name}-roots" (toJSON {inherit config contents;});
  extension =
    {
      none = "tar";
      gz = "tar.gz";
      zstd = "tar.zst";
    }
    .${
      args.compressor or "gz"
    };
  name = "${baseNameOf args.name}.${extension}";
in
  if !make.real
  then
    make.note name "" {
      inherit config contents;
      inherit (args) name tag;
      compressor = args.compressor or "gz";
      meta = {};
    } {}
  else
    make.build name "" [] {
      config = toJSON config;
      architecture = make.host.architecture;
      exportReferencesGraph = ["closure" roots];
      reference = "${args.name}:${args.tag}";
    } ''
      mkdir layer image
      (cd layer && ${args.extraCommands or "true"})
      for path in $(grep '^/nix/store/' closure | grep -v '\.drv$' | sort -u); do
        mkdir -p layer/nix/store && cp -R --no-dereference $path layer/nix/store/
      done
      pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C $1 -cf $2 .; }
      pack layer image/layer.tar
      layer=$(sha256sum < image/layer.tar | cut -d' ' -f1)
      printf '{"architecture":"%s","config":%s,"created":"1970-01-01T00:00:00Z","os":"linux","rootfs":{"diff_ids":["sha256:%s"],"type":"layers"}}' \
        "$architecture" "$config" "$layer" > image/config.json
      printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$reference" > image/manifest.json
      tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C image -cf $out config.json layer.tar manifest.json
    ''
