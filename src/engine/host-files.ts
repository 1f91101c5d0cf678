import type {StoreEntry} from '../core/store/requests.js'
import {printable} from '../core/text.js'
import type {HostConnection, RandomFile} from '../ports/transport.js'
import {TransportError} from '../ports/transport.js'
import type {StoreFiles} from './drive-store.js'

const LIST_BYTES = 1024 * 1024

/** Lists a directory for `sh -s -- DIRECTORY`: `d` or `f`, the name, NUL. A directory that is not there exits 44. */
const LIST_SCRIPT = `list() {
  cd "$1" 2>/dev/null || {
    [ -e "$1" ] || [ -L "$1" ] && exit 13
    p=$1
    while p=\${p%/*}; do [ -d "\${p:-/}" ] && break; done
    [ -x "\${p:-/}" ] && exit 44
    exit 13
  }
  [ -r . ] || exit 13
  for f in * .[!.]*; do
    if [ -d "$f" ]; then printf 'd%s\\0' "$f"
    elif [ -e "$f" ] || [ -L "$f" ]; then printf 'f%s\\0' "$f"; fi
  done
}
list "$@" </dev/null
`

/** The files of a raft directory on a host, through its connection, as root where that is needed. */
export function hostStoreFiles(
  connection: HostConnection,
  raftDir: string,
  options: {
    readonly root: boolean
    readonly timeoutMs: number
    /** Paths of files that are known to be regular ones. */
    readonly regular?: readonly string[]
  },
): StoreFiles {
  const open = async (path: string): Promise<RandomFile> =>
    connection.openFile(path, {...options, regular: options.regular?.includes(path) ?? false})
  return {
    open: file => open(`${raftDir}/${file}`),
    list: directory => list(connection, directory === '' ? raftDir : `${raftDir}/${directory}`, options),
  }
}

async function list(
  connection: HostConnection,
  directory: string,
  options: {readonly root: boolean; readonly timeoutMs: number},
): Promise<readonly StoreEntry[]> {
  const result = await connection.run({
    argv: ['sh', '-s', '--', directory],
    stdin: new TextEncoder().encode(LIST_SCRIPT),
    timeoutMs: options.timeoutMs,
    maxBytes: LIST_BYTES,
    root: options.root,
  })
  if (result.kind === 'failed') throw new TransportError(result.why, result.detail)
  if (result.code === 44) throw new TransportError('absent', `There is no ${printable(directory, 200)}.`)
  if (result.code === 13) throw new TransportError('denied', `${printable(directory, 200)} may not be read.`)
  if (result.code !== 0)
    throw new TransportError('failed', `${printable(directory, 200)} could not be listed.`)
  if (result.truncated) throw new TransportError('over-budget', `${printable(directory, 200)} is too large.`)
  return new TextDecoder()
    .decode(result.stdout)
    .split('\0')
    .filter(entry => entry.length > 1)
    .map(entry => ({name: entry.slice(1), directory: entry.startsWith('d')}))
}
