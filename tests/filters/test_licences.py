"""SPDX identifiers of headers, licence texts and pages."""

import pytest

from filters.licences import licence_of

MIT = """Copyright (c) 2020 A. Person

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction."""
BSD = """Redistribution and use in source and binary forms, with or without modification, are permitted
provided that the following conditions are met: this notice is kept. LICENSE."""
GPL_HEADER = """/* This program is free software: you can redistribute it and/or modify
 * it under the terms of the GNU General Public License as published by the Free
 * Software Foundation, either version 3 of the License, or (at your option)
 * any later version. */"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("// SPDX-License-Identifier: Apache-2.0\nint x;", "Apache-2.0"),
        ("# SPDX-License-Identifier: (MIT OR Apache-2.0)", "MIT"),
        ("# SPDX-License-Identifier: LGPL-2.1+", "LGPL-2.1-or-later"),
        ('# Licensed under the Apache License,\n# Version 2.0 (the "License");', "Apache-2.0"),
        (MIT, "MIT"),
        (BSD, "BSD-2-Clause"),
        (BSD + " The name may not be used to endorse or promote products.", "BSD-3-Clause"),
        (GPL_HEADER, "GPL-3.0-or-later"),
        ("GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991\n", "GPL-2.0-only"),
        ("Mozilla Public License Version 2.0\n... GNU General Public License, Version 2.0", "MPL-2.0"),
        ("Text. https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
        ("Text. http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("long page " * 2000 + " licensed under the MIT License.", "MIT"),
        ("A story about cats, and nothing else.", None),
        ("Copyright 2020. All rights reserved.", None),
        ("", None),
    ],
)
def test_licence_of(text: str, expected: str | None) -> None:
    assert licence_of(text) == expected


def test_a_mention_in_the_middle_of_a_long_text_declares_nothing() -> None:
    assert (
        licence_of("word " * 1000 + "the MIT License, licensed under the MIT License" + " word" * 1000)
        is None
    )


def test_rare_licences_are_known_by_their_templates() -> None:
    zlib = """zlib License
This software is provided 'as-is', without any express or implied warranty. In no event will the authors be
held liable for any damages arising from the use of this software.
Permission is granted to anyone to use this software for any purpose, including commercial applications, and
to alter it and redistribute it freely, subject to the following restrictions:
1. The origin of this software must not be misrepresented; you must not claim that you wrote the original
software. If you use this software in a product, an acknowledgment in the product documentation would be
appreciated but is not required.
2. Altered source versions must be plainly marked as such, and must not be misrepresented as being the
original software.
3. This notice may not be removed or altered from any source distribution."""
    assert licence_of(zlib) == "Zlib"
