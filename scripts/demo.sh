#!/bin/bash
# The tutorial on a server of its own: starts one on a temporary data dir, brings up
# roles, stack and application, prints the URL and stays until Ctrl-C. Nothing is left
# behind. With --yes or CI=1 nothing is asked; --once ends after the page was seen.
set -euo pipefail
cd "$(dirname "$0")/.."
yes=${CI:+1}
once=
for a in "$@" ${DEMO_FLAGS:-}; do
  case $a in
  --yes) yes=1 ;;
  --once) once=1 ;;
  *) echo "usage: scripts/demo.sh [--yes] [--once]" >&2; exit 2 ;;
  esac
done

sudo=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "instances need root: run this as root or install sudo" >&2
    exit 1
  fi
  sudo=(sudo)
fi

# The instances' image is this machine's /usr: the tutorial's page is served by python.
if [ ! -x /usr/bin/python3 ]; then
  echo "The demo's application is served by python3, which this machine lacks."
  if [ -z "$yes" ]; then
    read -r -p "Install it now (apt-get install -y python3)? [y/N] " answer
    [ "$answer" = y ] || exit 1
  fi
  "${sudo[@]}" apt-get update -q
  "${sudo[@]}" apt-get install -y -q --no-install-recommends python3
fi

port=${DEMO_PORT:-4566}
# healthy asks the server as curl would, which this machine may lack.
healthy() {
  (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /_hardstand/health HTTP/1.0\r\n\r\n' >&3 && grep -q ' 200 ' <&3) 2>/dev/null
}
dir=
log=
server=
idle=
finish() {
  # A signal may come twice, by the terminal and by make: cleaning up goes on.
  trap - EXIT
  trap '' INT TERM
  [ -z "$idle" ] || kill "$idle" 2>/dev/null || true
  if [ -z "$server" ]; then
    # Somebody else's server: only what the demo made there goes.
    [ -z "${AWS_ENDPOINT_URL:-}" ] || bin/hardstand deploy --remove --with-identity --plain examples/tutorial
    return
  fi
  "${sudo[@]}" kill -TERM "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  "${sudo[@]}" rm -rf --one-file-system "$dir"
  rm -f "$log"
  echo "The demo's server, instance and files are gone."
}
trap 'exit 130' INT TERM

if healthy; then
  echo "Using the server that runs on port $port."
  if ! access=$("${sudo[@]}" bin/hardstand env); then
    echo "its data dir is not the usual one: stop it, or choose another port with DEMO_PORT" >&2
    exit 1
  fi
else
  dir=$("${sudo[@]}" mktemp -d /var/tmp/hardstand-demo.XXXXXX)
  log=$(mktemp /tmp/hardstand-demo-log.XXXXXX)
  "${sudo[@]}" bin/hardstand serve --data-dir "$dir" --listen "127.0.0.1:$port" --stop-instances >"$log" 2>&1 &
  server=$!
  trap finish EXIT
  ready=
  for _ in $(seq 200); do
    if healthy; then
      ready=1
      break
    fi
    if ! kill -0 "$server" 2>/dev/null; then
      break
    fi
    sleep 0.05
  done
  if [ -z "$ready" ]; then
    echo "the server did not start:" >&2
    cat "$log" >&2
    exit 1
  fi
  access=$("${sudo[@]}" bin/hardstand env --data-dir "$dir")
fi
trap finish EXIT
eval "$access"
bin/hardstand deploy --with-identity examples/tutorial
if [ -n "$once" ]; then
  exit 0
fi
cat <<EOF

The page above is served by an instance that CloudFormation made and CodeDeploy deployed to.
Now break it, in another shell:
  eval "\$(${sudo[*]:+sudo }bin/hardstand env${dir:+ --data-dir $dir})"
  echo 'exit 1' >> examples/tutorial/myApp/scripts/startApp.sh
  bin/hardstand deploy examples/tutorial
Ctrl-C here ends everything.
EOF
if [ -n "$server" ]; then
  wait "$server"
else
  sleep infinity &
  idle=$!
  wait "$idle"
fi
