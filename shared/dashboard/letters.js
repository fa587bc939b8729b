// Messages that were given up, and sending them again.

function lettersView() {
  const found = state.letters;
  if (!found) return muted("Not known yet.");
  if (!found.dead_letters.length) return muted("No message was given up.");
  const useful = found.dead_letters.filter((letter) => letter.can_be_resubmitted);
  return h("div", { class: "stack" },
    h("ul", { class: "list" }, found.dead_letters.map(letterItem)),
    found.next && muted("There are more; these are the first ones."),
    useful.length > 1 && h("div", { class: "row" }, actButton("resubmit all", `Send ${number(useful.length)} again`, () => resubmit("resubmit all", { ids: useful.map((letter) => letter.id) }), null, { needs: "resubmit_dead_letters" }), errorOf("resubmit all")));
}

function letterItem(letter) {
  const name = `resubmit ${letter.id}`;
  return h("li", { key: letter.id },
    h("div", { class: "stack tight" },
      h("div", { class: "row apart" },
        h("h3", null, letter.entity ? `${title(letter.entity)}${letter.batch ? `, batch ${letter.batch}` : ""}` : "Unreadable message"),
        h("span", { class: "muted small" }, ago(letter.at))),
      h("p", { class: "small" }, data(letter.reason), ` (${letter.queue}, delivered ${count(letter.delivery_count, "time")})`),
      h("p", { class: "muted small" }, data(letter.advice)),
      letter.can_be_resubmitted && h("div", { class: "row" }, actButton(name, "Send again", () => resubmit(name, { ids: [letter.id] }), null, { needs: "resubmit_dead_letters" })),
      errorOf(name)));
}
