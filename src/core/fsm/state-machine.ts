import type {ApplyResult, StateRestore, WatchTarget} from './messages.js'

/** The replicated state machine: what it is told, in the order of the log, decides all that it answers. */
export interface StateMachine {
  /** Index of the last entry applied, or of the snapshot restored. */
  readonly lastIndex: number
  /** Applies the command of entry `index`; the same entries give the same state and answers on every server. */
  apply(index: number, data: Uint8Array): ApplyResult
  /**
   * The state as it is at this call, in chunks of about 64 KiB; commands may be applied while it is being read
   * (`state.bin`, consul agent/consul/fsm/snapshot.go). Constant time to begin.
   */
  snapshot(): IterableIterator<Uint8Array>
  /** Begins to receive a state; nothing changes until its `finish`. */
  restore(): StateRestore
  /** Calls `wake` once when something that `target` covers changes; the returned function takes that back. */
  watch(target: WatchTarget, wake: () => void): () => void
}
