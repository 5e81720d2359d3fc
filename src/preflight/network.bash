# Looks at the ways from this host to others, side by side, without a listener at their ends: what is refused has got there and back.
# It prints one line for each way, reads nothing but the network, and writes nothing.
export LC_ALL=C

# What an attempt came to, from its exit status and what was said.
outcome() {
  case $1:$2 in
    0:*) echo connected ;;
    124:*) echo silent ;;
    *"Connection refused"*) echo refused ;;
    *"No route to host"*) echo rejected ;;
    *"Network is unreachable"*) echo unreachable ;;
    *"not permitted"* | *"ermission denied"*) echo forbidden ;;
    *"Name or service not known"* | *"name resolution"* | *"No address associated"*) echo unresolved ;;
    *) echo failed ;;
  esac
}

tcp() { # number address port
  local said status
  said=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>&1)
  status=$?
  echo "way $1 $(outcome $status "$said")"
}

# A refusal arrives with the datagram after the one that was refused. Hosts limit how many refusals they send: so it is tried again.
refusal() { # file descriptor
  local pause said
  for pause in 0.1 0.2 0.4 0.8 0; do
    # A VXLAN header of a network that nobody has, as a middle box may look into it.
    said=$({ printf '\x08\0\0\0\xc1\xb0\x07\0' >&"$1"; } 2>&1) || { outcome 1 "$said"; return; }
    sleep $pause
  done
  echo silent
}

udp() { # number address port
  local socket
  { exec {socket}<>"/dev/udp/$2/$3"; } 2>/dev/null || { echo "way $1 unreachable"; return; }
  local came; came=$(refusal "$socket")
  echo "way $1 $came"
  [ "$came" = refused ] && echo "mtu $1 $(path_mtu "$2" "$socket")"
}

# `LINK ok`, `LINK small MTU`, or `LINK silent`: whether a datagram as large as the interface allows gets through unfragmented.
path_mtu() { # address socket
  local device link overhead=28 pause cached said
  device=$(ip -o route get "$1" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p')
  { read -r link <"/sys/class/net/$device/mtu"; } 2>/dev/null || { echo 0 silent; return; }
  case $1 in *:*) overhead=48 ;; esac
  for pause in 0.2 0.5 1.1; do
    dd if=/dev/zero bs=$((link - overhead)) count=1 >&"$2" 2>/dev/null
    sleep $pause
    cached=$(ip -o route get "$1" 2>/dev/null | sed -n 's/.* mtu \([0-9]*\).*/\1/p')
    [ -z "$cached" ] || [ "$cached" -ge "$link" ] || { echo "$link small $cached"; return; }
    said=$({ printf . >&"$2"; } 2>&1) || { echo "$link ok"; return; }
  done
  echo "$link silent"
}

route() { # number address
  local way source
  way=$(ip -o route get "$2" 2>/dev/null) || { echo "route $1 none"; return; }
  source=$(sed -n 's/.* src \([^ ]*\).*/\1/p' <<<"$way")
  echo "route $1 ${source:-none}"
}

# One request of HTTP by bash alone; the first line of the answer.
request() { # host port; $asked
  timeout 6 bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 9; printf %s "$asked" >&3; IFS= read -r line <&3; printf %s "${line:0:200}"' "$1" "$2" 2>&1
}

# Splits a URL into $scheme, $host, $port and $path.
split() {
  scheme=${1%%://*} path=/${1#*://*/} host=${1#*://}
  case ${1#*://} in */*) ;; *) path=/ ;; esac
  host=${host%%/*}
  port=80; [ "$scheme" = https ] && port=443
  case $host in
    \[*\]:*) port=${host##*:} host=${host%:*} ;;
    \[*) ;;
    *:*) port=${host##*:} host=${host%%:*} ;;
  esac
  host=${host#[} host=${host%]}
}

with_curl() { # url proxy check
  local said status
  said=$(curl -q --silent --show-error --output /dev/null --write-out '%{http_code}' --connect-timeout 4 --max-time 8 --range 0-0 --config - 2>&1 <<END
url = "$1"
$([ "$2" = - ] && echo 'noproxy = "*"' || echo "proxy = \"$2\"")
$([ "$3" = unchecked ] && echo insecure)
END
  )
  status=$?
  case $status in
    0) echo "status ${said: -3}" ;;
    5 | 6) echo unresolved ;;
    7) echo refused ;;
    28) echo silent ;;
    35 | 51 | 60) echo "untrusted" ;;
    *) echo failed ;;
  esac
}

with_bash() { # url proxy
  local asked='' said status scheme host port path authority
  split "$1"
  authority=$host
  case $host in *:*) authority="[$host]" ;; esac
  if [ "$2" != - ]; then
    local target=$1 way="$authority:$port" secure=$scheme
    split "$2"
    if [ "$secure" = https ]; then asked="CONNECT $way HTTP/1.1"$'\r\n'"Host: $way"
    else asked="GET $target HTTP/1.0"$'\r\n'"Host: ${way%:80}"; fi
  elif [ "$scheme" = http ]; then
    asked="GET $path HTTP/1.0"$'\r\n'"Host: $authority:$port"
  fi
  [ -z "$asked" ] || asked+=$'\r\n\r\n'
  export asked
  if [ -z "$asked" ]; then
    # Without a program that speaks TLS, an open port is all there is to see.
    said=$(timeout 6 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>&1); status=$?
    [ $status = 0 ] && { echo open; return; }
  else
    said=$(request "$host" "$port"); status=$?
    case $said in HTTP/*) said=${said#* }; echo "status ${said%%[!0-9]*}"; return ;; esac
    [ $status = 0 ] && { echo failed; return; }
  fi
  outcome $status "$said"
}

server() { # number proxy check url alternative
  local url came
  for url in "$4" $5; do
    url=${url//'${ID}'/$ID} url=${url//'${VERSION_CODENAME}'/$VERSION_CODENAME}
    url=${url//'$releasever'/${VERSION_ID%%.*}} url=${url//'$basearch'/$(uname -m)}
    if command -v curl >/dev/null 2>&1; then came=$(with_curl "$url" "$2" "$3"); else came=$(with_bash "$url" "$2"); fi
    [ "$came" = "status 404" ] || break
  done
  echo "server $1 $came"
}

# Repositories are asked for by hosts that have their package manager.
apt() { command -v apt-get >/dev/null 2>&1 && server "$@"; }
rpm() { command -v dnf >/dev/null 2>&1 && server "$@"; }

ID='' VERSION_CODENAME='' VERSION_ID=''
[ -r /etc/os-release ] && . /etc/os-release
while read -r kind number rest; do
  while [ "$(jobs -rp | wc -l)" -ge 64 ]; do wait -n; done
  $kind "$number" $rest &
done <<'QUESTIONS'
@QUESTIONS@
QUESTIONS
wait
echo end network
