# The images as archives: docker load < result
{
  lib,
  pkgs,
  versions,
  programs,
}: let
  # xtask packs them, as it does in `cargo xtask e2e`: the same program gives the same image ID with and without Nix.
  own = name: program:
    pkgs.runCommand "${name}.tar" {} ''
      ${lib.getExe programs.linux.xtask} image --name ${name} --program ${lib.getExe program} --output $out
    '';

  # The published wheel, because it has the web UI already, which nixpkgs' own package builds with yarn.
  locust = pkgs.python3Packages.buildPythonPackage {
    pname = "locust";
    inherit (versions.locust) version;
    format = "wheel";
    src = pkgs.fetchPypi {
      pname = "locust";
      inherit (versions.locust) version;
      format = "wheel";
      dist = "py3";
      python = "py3";
      hash = versions.locust.wheel;
    };
    # Locust asks for newer patch releases than nixpkgs has.
    pythonRelaxDeps = ["flask-cors" "flask-login"];
    dependencies = [
      pkgs.python3Packages.configargparse
      pkgs.python3Packages.flask
      pkgs.python3Packages.flask-cors
      pkgs.python3Packages.flask-login
      pkgs.python3Packages.gevent
      pkgs.python3Packages.geventhttpclient
      pkgs.python3Packages.msgpack
      pkgs.python3Packages.psutil
      pkgs.python3Packages.pytest
      pkgs.python3Packages.python-engineio
      pkgs.python3Packages.python-socketio
      pkgs.python3Packages.pyzmq
      pkgs.python3Packages.requests
      pkgs.python3Packages.websocket-client
      pkgs.python3Packages.werkzeug
    ];
    pythonImportsCheck = ["locust"];
  };
  python = pkgs.python3.withPackages (_: [locust]);
in {
  driver-image = own "locust-driver" programs.linux.locust-matrix-static;
  stub-image = own "fake-inference" programs.linux.fake-inference-static;

  # In the place of locustio/locust: cargo xtask e2e --locust-image locust-matrix/locust:VERSION
  locust-image = pkgs.dockerTools.buildLayeredImage {
    name = "locust-matrix/locust";
    tag = versions.locust.version;
    contents = [pkgs.cacert];
    # kind loads plain archives only.
    compressor = "none";
    extraCommands = "mkdir -p home/locust && mkdir -m 1777 tmp";
    config = {
      Entrypoint = ["${python}/bin/locust"];
      # A number, because `runAsNonRoot` cannot check a name. It is the user of locustio/locust.
      User = "1000:1000";
      WorkingDir = "/home/locust";
      Env = ["HOME=/tmp" "PYTHONUNBUFFERED=1" "SSL_CERT_FILE=${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt"];
    };
  };
}
