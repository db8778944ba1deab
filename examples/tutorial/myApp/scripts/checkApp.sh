#!/bin/bash
# The deployment succeeds only when the page is really served.
for _ in $(seq 1 100); do
  if (exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && grep -q '200 OK' <&3) 2>/dev/null; then
    exit 0
  fi
  sleep 0.05
done
echo "nothing answers on port 8000" >&2
exit 1
