"""Projects of the older gateway."""

import pytest

from claudegwd.store.database import Database
from claudegwd.store.projects import (
    PROJECTS_MAX,
    Project,
    StoreFull,
    create_project,
    delete_project,
    get_project,
    list_projects,
)
from claudegwd.store.sessions import Session, create_session, get_session


def project(number: int) -> Project:
    return Project(f"p{number}", "name", None, "../../etc", float(number), float(number))


@pytest.fixture
def database() -> Database:
    return Database(None)


def test_a_project_is_its_clients_own(database: Database) -> None:
    database.run_blocking(create_project, "a", project(1))
    assert database.run_blocking(get_project, "a", "p1") == project(1)
    assert database.run_blocking(get_project, "b", "p1") is None
    assert database.run_blocking(list_projects, "b", limit=10, offset=0) == ([], 0)
    assert not database.run_blocking(delete_project, "b", "p1")
    assert database.run_blocking(delete_project, "a", "p1")
    assert not database.run_blocking(delete_project, "a", "p1")


def test_pages_begin_with_the_newest(database: Database) -> None:
    for number in range(5):
        database.run_blocking(create_project, "a", project(number))
    page, total = database.run_blocking(list_projects, "a", limit=2, offset=1)
    assert ([each.id for each in page], total) == (["p3", "p2"], 5)


def test_its_sessions_stay_without_it(database: Database) -> None:
    database.run_blocking(create_project, "a", project(1))
    database.run_blocking(create_session, "a", Session("s", "p1", None, None, None, 0.0, 0.0))
    database.run_blocking(delete_project, "a", "p1")
    session = database.run_blocking(get_session, "a", "s")
    assert session is not None
    assert session.project_id is None


def test_there_is_an_end_to_projects(database: Database) -> None:
    for number in range(PROJECTS_MAX):
        database.run_blocking(create_project, "a", project(number))
    with pytest.raises(StoreFull, match="delete some"):
        database.run_blocking(create_project, "a", project(PROJECTS_MAX))
    database.run_blocking(create_project, "b", project(PROJECTS_MAX))
