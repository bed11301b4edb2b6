// What the modules take from Preact, and a few hooks of our own.
export {
  html, render, createContext, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback,
  useContext, useReducer, useErrorBoundary,
} from "./vendor/preact-htm.js";
import { useEffect, useReducer, useState, useCallback } from "./vendor/preact-htm.js";

// A value that views follow: `set` redraws them in the next frame, however often it is called.
export class Store {
  #followers = new Set();
  #frame = 0;

  changed() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      for (const follower of [...this.#followers]) follower();
    });
  }

  follow(follower) {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}

// Redraws the component whenever the store changes.
export function useStore(store) {
  const [, redraw] = useReducer((count) => count + 1, 0);
  useEffect(() => store.follow(redraw), [store]);
  return store;
}

// Loads something when the inputs change: {value, error, loading, reload}.
export function useLoad(load, inputs) {
  const [state, setState] = useState({ loading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    setState((old) => ({ ...old, loading: true }));
    load().then(
      (value) => current && setState({ value, loading: false }),
      (error) => current && setState((old) => ({ ...old, error, loading: false })),
    );
    return () => { current = false; };
  }, [...inputs, round]);
  return { ...state, reload: useCallback(() => setRound((count) => count + 1), []) };
}

// The time, told anew every few seconds, for "3 minutes ago".
export function useNow(every = 10_000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
