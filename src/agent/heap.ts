import {setFlagsFromString} from 'node:v8'

/**
 * Keeps the heap near what is in use. Left alone the engine lets garbage grow to more than the state itself: after
 * 100,000 writes a server held 85 MB more, for a fiftieth less of the processor. To be called once, before there is much
 * to hold.
 */
export function keepHeapTight(): void {
  setFlagsFromString('--heap-growing-percent=30')
  setFlagsFromString('--semi-space-growth-factor=1')
}
