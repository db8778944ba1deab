#!/bin/bash
# Ends what startApp.sh of the same revision left running.
if [ -f /var/run/myApp.pid ]; then
  kill "$(cat /var/run/myApp.pid)" 2>/dev/null || true
  rm -f /var/run/myApp.pid
fi
