#!/bin/bash
# Leaves the web server running; its output must not hold the hook's pipes open.
set -e
cd /var/myApp/appData
nohup python3 -m http.server 8000 >/dev/null 2>&1 </dev/null &
echo $! >/var/run/myApp.pid
