"""Which file hangs on which page: Notion's exports have them in the folders of their pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from arcana_pipelines import demo
from arcana_pipelines_tests.sample_files.budget import budget
from arcana_pipelines_tests.sample_files.pledge import pledge
from arcana_pipelines_tests.sample_files.safety_checklist import safety_checklist
from arcana_pipelines_tests.sample_files.travel_costs import travel_costs

FOLDER = Path(demo.__file__).parent / "handbook" / "Haneul Robotics Handbook cd92da1481ca49d59f9b4738194f92ff"
_WORK = "일하는 방식 482e69a2dea24687987d059782b98892"
_SECURITY = "보안과 데이터 3ef1af19ba344ad6be716f97d8442589"
_PROJECTS = "Projects d616f737b17a4a9bbd5aa8514d851ec8"

FILES: dict[str, Callable[[], bytes]] = {
    f"{_WORK}/출장 규정 acb71c3438984185aba19c9170b2e510/여비_기준표_2026.pdf": travel_costs,
    f"{_WORK}/경비 정산 2b84203021754e269ce3dda3af7e83e7/부서별_예산_2026.xlsx": budget,
    f"{_PROJECTS}/HR-450 Busan pilot 78a40713906946909dc00f6684b71990/Daily_safety_checklist.docx": safety_checklist,
    f"{_SECURITY}/정보보안 정책 ec55b2b05d7e4c53be43c154bb92d355/정보보안_서약서.hwpx": pledge,
}
