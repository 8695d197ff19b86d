import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { t, type Key } from "../../text";
import { Icon, type IconName } from "../../ui/Icon";
import { Connect, type Made } from "./Connect";
import { Make } from "./Make";
import { Usb } from "./Usb";

type Way = "secret" | "usb" | "simulated";

const ways: { way: Way; icon: IconName; title: Key; text: Key }[] = [
  { way: "secret", icon: "key", title: "start.secret", text: "start.secret.text" },
  { way: "usb", icon: "usb", title: "start.usb", text: "start.usb.text" },
  { way: "simulated", icon: "play", title: "start.simulated", text: "start.simulated.text" },
];

// held says that somebody has begun here, or that a key is on screen that nobody can show again: what shows it must stay,
// whatever has come since. What is being made comes into the lists before its key is here.
export const held = signal(false);

// Start leads from nothing to a first value, by the three ways that there are.
export function Start() {
  const way = useSignal<Way>("secret");
  const made = useSignal<Made | undefined>(undefined);
  // The secret key is on screen and nowhere else: leaving is asked about, but for a simulated board, whose server has it.
  useEffect(() => {
    const stay = (e: BeforeUnloadEvent): void => {
      if (made.value?.secret && !made.value.simulated) e.preventDefault();
    };
    addEventListener("beforeunload", stay);
    return () => {
      removeEventListener("beforeunload", stay);
      held.value = false;
    };
  }, []);
  const begin = (): void => void (held.value = true);
  const keep = (m: Made): void => {
    begin();
    made.value = m;
  };
  if (made.value) return <Connect made={made.value} />;
  return (
    <div class="start" onInput={begin} onClick={begin}>
      <fieldset class="ways">
        <legend class="sr">{t("start.how")}</legend>
        {ways.map((w) => (
          <label key={w.way} class="way">
            <input type="radio" name="way" value={w.way} checked={way.value === w.way} onChange={() => (way.value = w.way)} />
            <Icon name={w.icon} size={26} />
            <span>
              <b>{t(w.title)}</b>
              <small>{t(w.text)}</small>
            </span>
          </label>
        ))}
      </fieldset>
      {way.value === "usb" ? <Usb onMade={keep} /> : <Make key={way.value} simulated={way.value === "simulated"} onMade={keep} />}
    </div>
  );
}
