/* A keyboard way into charts that answer to a click: Tab reaches the chart, the arrows move among its
   marks, Enter clicks the one that is framed, and its words are read out. */
(() => {
  "use strict";

  // The views whose marks can be clicked: Altair names them where it puts a selection.
  const views = (spec) =>
    (spec.params ?? [])
      .filter(({ select, bind }) => {
        const given = typeof select === "string" ? { type: select } : select ?? {};
        const event = given.on ?? "click";
        return given.type === "point" && bind !== "legend" && /click/.test(JSON.stringify(event));
      })
      .flatMap((param) => param.views ?? []);

  // The items of the marks of these names, each with where it lies in the chart.
  const find = (mark, names, x = 0, y = 0, found = []) => {
    const wanted = names.some((name) => mark.name === `${name}_marks` || mark.name === "marks");
    for (const item of mark.items ?? []) {
      if (mark.marktype === "group") {
        const [dx, dy] = [x + (item.x ?? 0), y + (item.y ?? 0)];
        for (const inner of item.items ?? []) find(inner, names, dx, dy, found);
      } else if (wanted && item.bounds) {
        const { x1, y1, x2, y2 } = item.bounds;
        found.push({ item, x1: x + x1, y1: y + y1, x2: x + x2, y2: y + y2 });
      }
    }
    return found;
  };

  const words = (item) => {
    if (item.tooltip && typeof item.tooltip === "object") {
      return Object.entries(item.tooltip).map(([key, value]) => `${key}: ${value}`).join(", ");
    }
    return item.description ?? item.tooltip ?? "";
  };

  const centre = ({ x1, y1, x2, y2 }) => [(x1 + x2) / 2, (y1 + y2) / 2];

  // The next mark in a direction: near along it, and not far to its side.
  const next = (marks, from, [dx, dy]) => {
    const [x, y] = centre(from);
    let best = from;
    let least = Infinity;
    for (const mark of marks) {
      const [mx, my] = centre(mark);
      const along = (mx - x) * dx + (my - y) * dy;
      const aside = Math.abs((mx - x) * dy + (my - y) * dx);
      if (along > 0.5 && along + 3 * aside < least) [best, least] = [mark, along + 3 * aside];
    }
    return best;
  };

  const ARROWS = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };

  window.quirePicker = (figure, view, spec) => {
    const names = views(spec);
    if (!names.length) return;
    const box = figure.querySelector(".quire-chart");
    const drawing = box.querySelector("svg, canvas");
    box.tabIndex = 0;
    box.dataset.picks = "";
    box.setAttribute("role", "application");
    box.setAttribute("aria-roledescription", "chart to choose from");
    let frame = figure.querySelector(".quire-pick");
    let told = figure.querySelector(".quire-pick-words");
    if (!told) {
      told = document.createElement("div");
      told.className = "quire-pick-words";
      told.setAttribute("aria-live", "polite");
      told.textContent = "Keyboard: Tab to the chart, arrows move, Enter chooses.";
      box.after(told);
    }
    frame?.remove();
    frame = document.createElement("div");
    frame.className = "quire-pick";
    frame.hidden = true;
    box.append(frame);

    let at = null;
    const marks = () => find(view.scenegraph().root, names);
    const place = (mark) => {
      at = mark;
      const outer = box.getBoundingClientRect();
      const inner = drawing.getBoundingClientRect();
      const [ox, oy] = view.origin();
      const left = inner.left - outer.left + box.scrollLeft + ox;
      const top = inner.top - outer.top + oy;
      Object.assign(frame.style, {
        left: `${left + mark.x1 - 2}px`,
        top: `${top + mark.y1 - 2}px`,
        width: `${Math.max(6, mark.x2 - mark.x1) + 4}px`,
        height: `${Math.max(6, mark.y2 - mark.y1) + 4}px`,
      });
      frame.hidden = false;
      told.textContent = words(mark.item);
    };
    const click = (mark) => {
      const [x, y] = centre(mark);
      const inner = drawing.getBoundingClientRect();
      const [ox, oy] = view.origin();
      const where = { bubbles: true, clientX: inner.left + ox + x, clientY: inner.top + oy + y };
      const target = mark.item._svg ?? drawing;
      for (const name of ["pointerover", "pointerdown", "mousedown", "pointerup", "mouseup", "click"]) {
        const Kind = name.startsWith("pointer") ? PointerEvent : MouseEvent;
        target.dispatchEvent(new Kind(name, where));
      }
    };
    const same = () => {
      const all = marks();
      const [x, y] = at ? centre(at) : [Infinity, Infinity];
      return all.find((each) => centre(each)[0] === x && centre(each)[1] === y) ?? all[0];
    };
    box.onkeydown = async (event) => {
      if (!(event.key in ARROWS) && event.key !== "Enter" && event.key !== " ") return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const here = same();
      if (!here) return;
      if (event.key in ARROWS) {
        place(at ? next(marks(), here, ARROWS[event.key]) : here);
      } else {
        click(here);
        await view.runAsync();
        place(same());
      }
    };
    box.onblur = () => {
      frame.hidden = true;
    };
  };
})();
