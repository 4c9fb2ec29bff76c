# Python and its packages, which stand for themselves only: the wheels would need a network.
{
  only,
  make,
}: let
  inherit (builtins) listToAttrs map throw;
  known = [
    "configargparse"
    "flask"
    "flask-cors"
    "flask-login"
    "gevent"
    "geventhttpclient"
    "msgpack"
    "psutil"
    "pytest"
    "python-engineio"
    "python-socketio"
    "pyzmq"
    "requests"
    "websocket-client"
    "werkzeug"
  ];
  package = name: {
    inherit name;
    value = make.package name "" {python = name;} {};
  };
  python3Packages =
    listToAttrs (map package known)
    // {
      buildPythonPackage = given: let
        args =
          only "buildPythonPackage" [
            "pname"
            "version"
            "src"
            "format"
            "pyproject"
            "build-system"
            "dependencies"
            "pythonRelaxDeps"
            "pythonRemoveDeps"
            "pythonImportsCheck"
            "doCheck"
            "meta"
          ]
          given;
      in
        make.package args.pname args.version (args // {meta = args.meta or {};}) (args.meta or {});
    };
in {
  inherit python3Packages;
  python3 =
    make.tool "python3" "3"
    // {withPackages = choose: make.package "python3-env" "" {packages = choose python3Packages;} {mainProgram = "python3";};};
  fetchPypi = given: let
    args = only "fetchPypi" ["pname" "version" "format" "dist" "python" "abi" "platform" "hash" "sha256"] given;
  in
    if builtins.match "sha256-.{43}=" args.hash == null
    then throw "fetchPypi: ${args.hash} is no hash"
    else make.package "${args.pname}-${args.version}.whl" "" args {};
}
