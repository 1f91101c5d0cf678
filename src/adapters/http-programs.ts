import {printable, printableBytes} from '../core/text.js'
import type {HttpAnswer, HttpRequest} from '../ports/http.js'
import type {HostConnection} from '../ports/transport.js'

type Program = 'curl' | 'wget' | 'nc'

/**
 * Asks by whatever program the host has. Arguments: seconds, method, scheme, host, port, path, socket path, whether
 * there are headers or a body, and for TLS whether the certificate is verified, the name that it must have, and the
 * files of authority, own certificate and key, which are the host's under the paths that they have here. Standard input holds, in this order and each closed by a line of its own: the
 * curl configuration, then the raw request. Tokens travel on standard input only: a command line shows to everybody
 * on the host. A proxy named in the environment, or a start-up file, must not get to see them either. The first line of
 * the answer names the program; exit 69 means that none can do it, 70 that none can do it over TLS, 71 that the host
 * has not the file that is printed. wget writes headers and complaints on stderr; only GNU's verifies certificates, and
 * it takes no name for them.
 */
const SCRIPT = `
seconds=$1 method=$2 scheme=$3 host=$4 port=$5 path=$6 socket=$7 private=$8
verify=$9 name=\${10} ca=\${11} cert=\${12} key=\${13}
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
config= raw=
mark='--quorate-end-of-part--'
while IFS= read -r line && [ "$line" != "$mark" ]; do config="$config$line
"; done
while IFS= read -r line && [ "$line" != "$mark" ]; do raw="$raw$line
"; done
if [ "$scheme" = https ]; then
  for file in "$ca" "$cert" "$key"; do
    [ -z "$file" ] || [ -r "$file" ] || { printf '%s\\n' "$file"; exit 71; }
  done
fi
case $host in *:*) url="$scheme://[$host]:$port$path" ;; *) url="$scheme://$host:$port$path" ;; esac
if command -v curl >/dev/null 2>&1; then
  echo curl
  if [ -n "$socket" ]; then set -- --unix-socket "$socket"; else set --; fi
  if [ "$scheme" = https ]; then
    set -- "$@" --no-alpn # with -0 it would offer HTTP/1.0 alone, which servers in Go hang up on
    [ "$verify" = 1 ] || set -- "$@" --insecure
    [ -z "$ca" ] || set -- "$@" --cacert "$ca"
    [ -z "$cert" ] || set -- "$@" --cert "$cert"
    [ -z "$key" ] || set -- "$@" --key "$key"
    if [ -n "$name" ]; then
      case $host in *:*) set -- "$@" --resolve "$name:$port:[$host]" ;; *) set -- "$@" --resolve "$name:$port:$host" ;; esac
      url="https://$name:$port$path"
    fi
  fi
  printf '%s' "$config" | curl -q -sS -i -0 --max-time "$seconds" -X "$method" -K - "$@" "$url"
  exit $?
fi
if [ "$private" = 0 ] && [ "$method" = GET ] && [ -z "$socket" ] && command -v wget >/dev/null 2>&1; then
  knows=$(wget --help 2>&1)
  set --
  if [ "$scheme" = https ]; then
    case $knows in *--ca-certificate*) ;; *) exit 70 ;; esac
    [ -z "$name" ] || exit 70
    [ "$verify" = 1 ] || set -- "$@" --no-check-certificate
    [ -z "$ca" ] || set -- "$@" "--ca-certificate=$ca"
    [ -z "$cert" ] || set -- "$@" "--certificate=$cert"
    [ -z "$key" ] || set -- "$@" "--private-key=$key"
  fi
  echo wget
  for option in no-config content-on-error; do
    case $knows in *"--$option"*) set -- "$@" "--$option" ;; esac
  done
  LC_ALL=C wget "$@" -nv -S -t 1 -O - -T "$seconds" "$url"
  exit $?
fi
if [ "$scheme" = http ] && command -v nc >/dev/null 2>&1; then
  echo nc
  if [ -n "$socket" ]; then printf '%s' "$raw" | nc -w "$seconds" -U "$socket"
  else printf '%s' "$raw" | nc -w "$seconds" "$host" "$port"; fi
  exit $?
fi
if [ "$scheme" = https ]; then exit 70; fi
exit 69
`

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

function headersOf(request: HttpRequest): Record<string, string> {
  return {
    ...(request.headers ?? {}),
    ...(request.token === undefined ? {} : {'x-consul-token': request.token}),
  }
}

function standardInput(request: HttpRequest, body: string): Uint8Array {
  const headers = Object.entries(headersOf(request))
  const config = [
    ...headers.map(([name, value]) => `header = ${quoted(`${name}: ${value}`)}`),
    ...(request.body === undefined ? [] : [`data-raw = ${quoted(body)}`]),
  ]
  const {target} = request
  const host = target.kind === 'tcp' ? target.host : 'localhost'
  const raw = [
    `${request.method} ${request.path} HTTP/1.0\r`,
    `Host: ${host}\r`,
    ...headers.map(([name, value]) => `${name}: ${value}\r`),
    ...(request.body === undefined ? [] : [`Content-Length: ${request.body.length}\r`]),
    '\r',
    ...(request.body === undefined ? [] : [body]),
  ]
  const mark = '--quorate-end-of-part--'
  return new TextEncoder().encode([...config, mark, ...raw, mark, ''].join('\n'))
}

/** Asks through curl, wget or nc on the host. Values with line breaks cannot travel this way and are refused. */
export async function askThroughProgram(
  connection: HostConnection,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const {target} = request
  const body = request.body === undefined ? '' : new TextDecoder().decode(request.body)
  if ([request.path, body, ...Object.values(headersOf(request))].some(text => /[\r\n\0]/.test(text))) {
    return {
      kind: 'failed',
      why: 'unsupported',
      detail: 'This question cannot be asked through a program on the host.',
    }
  }
  const seconds = Math.max(1, Math.ceil(request.timeoutMs / 1000))
  const startedAtMs = performance.now()
  const result = await connection.run({
    argv: [
      'sh',
      '-c',
      SCRIPT,
      'quorate-http',
      String(seconds),
      request.method,
      request.tls === undefined ? 'http' : 'https',
      target.kind === 'tcp' ? target.host : 'localhost',
      target.kind === 'tcp' ? String(target.port) : '80',
      request.path,
      target.kind === 'unix' ? target.path : '',
      Object.keys(headersOf(request)).length === 0 && request.body === undefined ? '0' : '1',
      ...tlsArguments(request),
    ],
    stdin: standardInput(request, body),
    timeoutMs: request.timeoutMs + 2000,
    maxBytes: request.maxBytes + 65_536,
    root: target.kind === 'unix',
  })
  if (result.kind === 'failed') return {kind: 'failed', why: result.why, detail: result.detail}
  const unable = whyUnable(result.code, result.stdout)
  if (unable !== undefined)
    return {kind: 'failed', why: 'unsupported', detail: `The connection does not forward, and ${unable}`}
  const end = result.stdout.indexOf(10)
  const program = new TextDecoder().decode(result.stdout.subarray(0, Math.max(0, end))) as Program
  const output = result.stdout.subarray(end + 1)
  const head = program === 'wget' ? parseResponse(fromFirstHead(result.stderr)) : undefined
  const parsed = program === 'wget' ? head && {...head, body: output} : parseResponse(output)
  const outcome = {
    program,
    code: result.code,
    words: printableBytes(result.stderr, 200),
    answered: output.length > 0 || (program === 'wget' && result.code === 0),
    late: performance.now() - startedAtMs >= seconds * 1000,
  }
  if (parsed === undefined) return {kind: 'failed', ...failureOf(outcome)}
  if (!result.truncated && isCutShort(outcome, parsed))
    return {kind: 'failed', why: outcome.late ? 'timed-out' : 'lost', detail: 'The answer ended early.'}
  const truncated = result.truncated || parsed.body.length > request.maxBytes
  const kept = parsed.body.subarray(0, request.maxBytes)
  request.onChunk?.(kept)
  return {
    kind: 'answered',
    status: parsed.status,
    headers: parsed.headers,
    body: request.onChunk === undefined ? kept : new Uint8Array(),
    truncated,
    through: program,
  }
}

function tlsArguments({tls}: HttpRequest): readonly string[] {
  if (tls === undefined) return ['1', '', '', '', '']
  const {verify, serverName = '', caFile = '', certFile = '', keyFile = ''} = tls
  return [verify ? '1' : '0', serverName, caFile, certFile, keyFile]
}

/** Why no program on the host was asked; undefined when one was. */
function whyUnable(code: number | undefined, stdout: Uint8Array): string | undefined {
  if (code === 69) return 'the host has no curl, wget or nc that could ask.'
  if (code === 70)
    return 'the host has no curl that could ask over TLS and verify whom it asks as it was told.'
  if (code !== 71) return undefined
  const file = printable(new TextDecoder().decode(stdout).trim(), 200)
  return `to ask over TLS from the host itself, it lacks the file ${file}, or lets us not read it.`
}

interface Outcome {
  readonly program: Program
  readonly code: number | undefined
  /** What it wrote on stderr. */
  readonly words: string
  readonly answered: boolean
  /** Whether it took all the time it was given. */
  readonly late: boolean
}

/**
 * Why there is no answer: by exit status where the program has one for it (curl: 7 refused, 28 out of time, 1 and 8 not
 * HTTP), else by its words, else by how long it took, for nc says nothing at all.
 */
function failureOf(outcome: Outcome): {
  why: 'refused' | 'timed-out' | 'unparsable' | 'failed'
  detail: string
} {
  const {program, code, words, answered, late} = outcome
  const detail = printable(words === '' ? `${program} ended with status ${code ?? '?'}.` : words, 200)
  if (program === 'curl') {
    const reasons = {1: 'unparsable', 7: 'refused', 8: 'unparsable', 28: 'timed-out'} as const
    return {why: reasons[code as keyof typeof reasons] ?? 'failed', detail}
  }
  if (answered) return {why: 'unparsable', detail: 'The answer is not HTTP.'}
  if (/refused/i.test(words)) return {why: 'refused', detail}
  if (late || /timed out/i.test(words)) return {why: 'timed-out', detail}
  return {why: program === 'nc' && code !== 0 ? 'refused' : 'failed', detail}
}

/** Whether the body is not all of it. wget ends with 8 for every status that is an error, and with others for its own. */
function isCutShort(
  {program, code}: Outcome,
  answer: {readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array},
): boolean {
  if (program === 'curl' && code !== 0) return true
  if (program === 'wget') return code !== 0 && code !== 8
  const promised = Number(answer.headers['content-length'] ?? Number.NaN)
  return answer.body.length < promised
}

/** wget's stderr from its first answer on; what stands before are words of whatever else ran. */
function fromFirstHead(stderr: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(stderr)
  const at = text.search(/^[ \t]*HTTP\//m)
  return new TextEncoder().encode(at === -1 ? '' : text.slice(at))
}

/** Status, headers and body of a raw response; `100 Continue` is passed over. wget indents its headers. */
function parseResponse(
  bytes: Uint8Array,
): {status: number; headers: Record<string, string>; body: Uint8Array} | undefined {
  const decoder = new TextDecoder()
  let at = 0
  let status: number | undefined
  let headers: Record<string, string> = {}
  while (at < bytes.length) {
    const end = bytes.indexOf(10, at)
    if (end === -1) break
    const line = decoder.decode(bytes.subarray(at, end)).replace(/\r$/, '')
    const first = /^\s*HTTP\/\d(?:\.\d)? (\d{3})/.exec(line)
    if (first !== null) {
      status = Number(first[1])
      headers = {}
    } else if (line.trim() === '') {
      at = end + 1
      if (status !== undefined && status !== 100) return {status, headers, body: bytes.subarray(at)}
      continue
    } else {
      const header = /^\s*([\w-]+):\s*(.*)$/.exec(line)
      if (status === undefined) return undefined
      if (header === null) return {status, headers, body: bytes.subarray(at)}
      headers[(header[1] ?? '').toLowerCase()] = header[2] ?? ''
    }
    at = end + 1
  }
  return status === undefined ? undefined : {status, headers, body: bytes.subarray(at)}
}
