"""All kinds of constraints by their ids."""

from collections.abc import Mapping

from tutelage.evaluation.constraints import case, chinese, combination, form, keywords, languages, length
from tutelage.evaluation.constraints.kinds import Kind

KINDS: Mapping[str, Kind] = {
    **keywords.KINDS,
    **length.KINDS,
    **form.KINDS,
    **case.KINDS,
    **languages.KINDS,
    **combination.KINDS,
    **chinese.KINDS,
}
