"""What a record refers to has another id by now, and the old one is there as something else."""

from __future__ import annotations

from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig

__all__ = ["NewRig", "new_rig", "rig"]


def test_nobody_is_called_unchanged_who_has_a_title_that_is_another_now(rig: PeopleRig) -> None:
    """Hands renamed a title; an hourly run that needs a new one lists titles and makes the old name anew."""
    rig.safetyamp.edit("user_titles", rig.record("user_titles", "Foreman")["id"], name="Crew Lead")
    rig.moves(1001, udEmpTitle="Pilot")
    for _ in range(2):
        rig.run()
    foreman = rig.record("user_titles", "Foreman")["id"]
    assert [rig.user(number)["current_title_id"] for number in (1002, 1005, 1008)] == [foreman] * 3


def test_nobody_is_called_unchanged_whose_jobs_site_is_another_now(rig: PeopleRig) -> None:
    """Hands swapped the codes of two sites, and a run has listed them."""
    one, two = rig.record("sites", "100. - Works 100."), rig.record("sites", "200. - Works 200.")
    rig.safetyamp.edit("sites", one["id"], ext_id="200.")
    rig.safetyamp.edit("sites", two["id"], ext_id="100.")
    rig.run(refresh=True, entities=("jobs",))
    for _ in range(2):
        rig.run()
    assert rig.user(1002)["home_site_id"] == two["id"]
