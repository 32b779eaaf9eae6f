"""The tables that an export is made of, and how far they have been read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.export import watched as watching
from pro_app.export.table import Table
from pro_app.models import Participant, Site
from pro_app.services import tables
from pro_app.services.studies import counted

Tell = Callable[[int, int | None], object]  # the rows so far, and the hundredths done


class Source:
    """Hands the tables of a request out, and tells after every frame how far they were read.

    `passes` is how often tables will be read, all together. `address` is the installation's own.
    """

    def __init__(
        self,
        session: Session,
        request: tables.Request,
        address: str,
        passes: int,
        tell: Tell,
    ) -> None:
        self.request, self.address = request, address
        self._session, self._tell = session, tell
        self._passes, self._percent = passes, 0
        self._rows: dict[str, int] = {}
        self._shares: list[float] = []  # done of each reading that was begun
        self._numbers: Sequence[str] | None = None

    @property
    def rows(self) -> int:
        """The rows of all tables that were read."""
        return sum(self._rows.values())

    def table(self, name: str) -> Table:
        """One of `tables.NAMES`."""

        def begin() -> watching.Tell:
            place, count = len(self._shares), 0
            self._shares.append(0)

            def tell(rows: int, participant: str | None) -> None:
                nonlocal count
                count += rows
                self._rows[name] = max(count, self._rows.get(name, 0))  # it may be read again
                if participant is not None:
                    self._shares[place] = self._share(participant)
                self._tell(self.rows, None if participant is None else self._done())

            return tell

        return watching.watched(tables.table(self._session, name, self.request), begin)

    def _done(self) -> int:
        """About how many hundredths are done. It never goes back, and the last one is for the
        end."""
        whole = int(100 * sum(self._shares) / max(self._passes, len(self._shares)))
        self._percent = max(self._percent, min(99, whole))
        return self._percent

    def _share(self, participant: str) -> float:
        """How much of a table is read, by the place of the last participant among all."""
        if self._numbers is None:
            self._numbers = self._all_numbers()
        return min(1.0, (bisect_left(self._numbers, participant) + 1) / (len(self._numbers) + 1))

    def _all_numbers(self) -> Sequence[str]:
        found = sa.select(Participant.number).where(counted(self.request.study))
        if self.request.sites is not None:
            found = found.join(Site, Site.id == Participant.site_id)
            found = found.where(Site.code.in_(self.request.sites))
        return sorted(self._session.scalars(found))
