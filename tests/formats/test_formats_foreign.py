"""ALTO and PAGE as other programs write them: other versions, no words, boxes, other units, and damage."""

import pytest

from text_recognizer.formats import FORMATS, FormatError

ALTO, PAGE = FORMATS["alto"], FORMATS["page"]
BOX = ((10.0, 20.0), (110.0, 20.0), (110.0, 60.0), (10.0, 60.0))


def alto(body, version=4, unit="pixel", tags="", size='WIDTH="500" HEIGHT="400"'):
    namespace = f' xmlns="http://www.loc.gov/standards/alto/ns-v{version}#"' if version else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alto{namespace} xmlns:xlink="http://www.w3.org/1999/xlink">
<Description><MeasurementUnit>{unit}</MeasurementUnit>
<sourceImageInformation><fileName>a.tif</fileName></sourceImageInformation></Description>
{tags}<Layout><Page ID="P1" PHYSICAL_IMG_NR="1" {size}><PrintSpace>{body}</PrintSpace></Page></Layout></alto>
""".encode()


@pytest.mark.parametrize("version", [0, 2, 3, 4])
def test_print_of_alto_with_boxes_and_a_hyphen(version):
    page = ALTO.read(
        alto(
            """<ComposedBlock ID="C" TYPE="container"><TextBlock ID="B" HPOS="1" VPOS="2" WIDTH="300" HEIGHT="90">
            <TextLine ID="L" HPOS="10" VPOS="20" WIDTH="100" HEIGHT="40" BASELINE="55.0">
            <String CONTENT="An" HPOS="10" VPOS="20" WIDTH="40" HEIGHT="40" WC="0.5" CC="01"/><SP WIDTH="5"/>
            <String CONTENT="exam" SUBS_TYPE="HypPart1" SUBS_CONTENT="example" WC="0.8"/><HYP CONTENT="-"/>
            </TextLine></TextBlock></ComposedBlock>""",
            version,
        )
    )
    (line,) = page.lines
    assert (line.text, page.width, page.height, page.source) == ("An exam-", 500, 400, "a.tif")
    assert line.polygon == BOX
    assert line.baseline == ((10.0, 55.0), (110.0, 55.0))
    assert [word.text for word in line.words] == ["An", "exam-"]
    assert line.words[0].polygon == ((10.0, 20.0), (50.0, 20.0), (50.0, 60.0), (10.0, 60.0))
    assert line.confidence == pytest.approx((2 * 0.5 + 5 * 0.8) / 7)
    assert page.regions == ()


def test_transcriptions_of_escriptorium():
    tags = """<Tags><OtherTag ID="BT1" LABEL="MainZone" DESCRIPTION="block type"/>
    <OtherTag ID="BT2" LABEL="MarginTextZone:note"/><OtherTag ID="LT1" LABEL="DefaultLine"/></Tags>"""
    page = ALTO.read(
        alto(
            """<TextBlock ID="a" TAGREFS="BT2"><Shape><Polygon POINTS="1 2 3 4 5 6"/></Shape>
            <TextLine ID="l1" TAGREFS="LT1" BASELINE="10 50 110 52" HPOS="10" VPOS="20" WIDTH="100" HEIGHT="40">
            <Shape><Polygon POINTS="10 20 110 20 110 60 10 60"/></Shape>
            <String CONTENT="a whole line" HPOS="10" VPOS="20" WIDTH="100" HEIGHT="40"/></TextLine></TextBlock>
            <TextBlock ID="b" TAGREFS="BT1"><TextLine ID="l2" BASELINE="(1, 2) (3, 4)"><String CONTENT="word"/>
            </TextLine></TextBlock><TextBlock ID="c"><TextLine ID="l3"><String CONTENT=""/></TextLine></TextBlock>""",
            tags=tags,
        )
    )
    assert page.text == "a whole line\nword\n"
    assert [(line.words != (), line.confidence) for line in page.lines] == [(False, 1.0), (True, 1.0), (False, 1.0)]
    assert page.lines[0].polygon == BOX
    assert page.lines[1].baseline == ((1.0, 2.0), (3.0, 4.0))
    assert [region.kind for region in page.regions] == ["marginalia", "paragraph", "paragraph"]


def test_strings_of_alto_without_spaces_between_them_are_words():
    page = ALTO.read(
        alto('<TextBlock ID="b"><TextLine><String CONTENT="one"/><String CONTENT="two"/></TextLine></TextBlock>')
    )
    assert page.text == "one two"


def test_glyphs_of_kraken_are_confidences_of_characters():
    page = ALTO.read(
        alto(
            """<TextBlock ID="b"><TextLine ID="l"><String CONTENT="ab" WC="0.7"><Glyph CONTENT="a" GC="0.9"/>
            <Glyph CONTENT="b" GC="0.5"/></String><SP/></TextLine></TextBlock>"""
        )
    )
    assert page.lines[0].words[0].character_confidences == (0.9, 0.5)
    assert page.text == "ab"


@pytest.mark.parametrize("unit", ["mm10", "inch1200"])
def test_other_units_become_pixels_of_an_image_that_is_known(unit):
    line = '<TextLine HPOS="100" VPOS="50" WIDTH="100" HEIGHT="50"><String CONTENT="a"/></TextLine>'
    body = f'<TextBlock ID="b">{line}</TextBlock>'
    data = alto(body, 2, unit, size='WIDTH="2100.0" HEIGHT="2970.0"')
    assert ALTO.read(data).width == 2100
    page = ALTO.read(data, (4200, 5940))
    assert (page.width, page.height) == (4200, 5940)
    assert page.lines[0].polygon == ((200.0, 100.0), (400.0, 100.0), (400.0, 200.0), (200.0, 200.0))


def test_the_reading_order_of_alto_is_followed():
    tags = """<ReadingOrder><OrderedGroup ID="o"><ElementRef ID="o1" REF="b2"/><ElementRef ID="o2" REF="b1"/>
    </OrderedGroup></ReadingOrder>"""
    body = "".join(f'<TextBlock ID="b{n}"><TextLine><String CONTENT="{n}"/></TextLine></TextBlock>' for n in (1, 2, 3))
    page = ALTO.read(alto(body, tags=tags))
    assert page.text == "2\n1\n3"
    assert [region.lines for region in page.regions] == [(0,), (1,), (2,)]


def page_xml(body, version="2013-07-15", namespace="http://schema.primaresearch.org/PAGE/gts/pagecontent/"):
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<PcGts xmlns="{namespace}{version}"><Metadata><Creator>someone</Creator></Metadata>
<Page imageFilename="a.tif" imageWidth="500" imageHeight="400">{body}</Page></PcGts>
""".encode()


@pytest.mark.parametrize("version", ["2010-03-19", "2013-07-15", "2017-07-15", "2019-07-15", "2024-07-15"])
def test_transcriptions_of_transkribus(version):
    page = PAGE.read(
        page_xml(
            """<ReadingOrder><OrderedGroup id="ro"><RegionRefIndexed index="1" regionRef="r1"/>
            <RegionRefIndexed index="0" regionRef="r2"/></OrderedGroup></ReadingOrder>
            <TextRegion id="r1" custom="readingOrder {index:1;} structure {type:marginalia;}">
            <Coords points="1,2 3,4 5,6"/><TextLine id="l1" custom="readingOrder {index:0;}">
            <Coords points="10,20 110,20 110,60 10,60"/><Baseline points="10,50 110,52"/>
            <TextEquiv><Unicode>a note &amp; more</Unicode></TextEquiv></TextLine></TextRegion>
            <TextRegion type="heading" id="r2"><Coords points="1,2 3,4 5,6"/><TextLine id="l2">
            <Coords points="10,20 110,20 110,60 10,60"/><TextEquiv><Unicode/></TextEquiv></TextLine></TextRegion>
            <ImageRegion id="i"><Coords points="1,2 3,4 5,6"/></ImageRegion>""",
            version,
        )
    )
    assert page.text == "\na note & more"
    assert [(region.kind, region.lines) for region in page.regions] == [("heading", (0,)), ("marginalia", (1,))]
    assert page.lines[1].polygon == BOX
    assert page.lines[1].baseline == ((10.0, 50.0), (110.0, 52.0))
    assert (page.lines[1].confidence, page.lines[1].words) == (1.0, ())


def test_points_before_2013_and_text_of_words_alone():
    points = "".join(f'<Point x="{x:g}" y="{y:g}"/>' for x, y in BOX)
    word = "<Word id='w{0}'><Coords>{1}</Coords><TextEquiv conf='0.5'><Unicode>{0}</Unicode></TextEquiv></Word>"
    body = f"""<TextRegion id="r"><Coords>{points}</Coords><TextLine id="l"><Coords>{points}</Coords>
    {word.format("ab", points)}{word.format("cd", points)}</TextLine></TextRegion>"""
    page = PAGE.read(page_xml(body, "2010-03-19"))
    assert (page.text, page.lines[0].confidence, page.regions) == ("ab cd", 0.5, ())
    assert page.lines[0].words[1].polygon == BOX


def test_of_several_transcriptions_the_first_by_index_counts():
    several = "".join(
        f'<TextEquiv index="{n}"><Unicode>{text}</Unicode></TextEquiv>' for n, text in ((1, "b"), (0, "a"))
    )
    line = f'<TextLine id="l"><Coords points="0,0 1,1"/>{several}</TextLine>'
    body = f'<TextRegion id="r"><Coords points="0,0 1,1"/>{line}</TextRegion>'
    assert PAGE.read(page_xml(body, "2019-07-15")).text == "a"


def test_lines_of_regions_in_regions_and_of_table_cells_are_found():
    line = '<TextLine id="{0}"><Coords points="0,0 1,1"/><TextEquiv><Unicode>{0}</Unicode></TextEquiv></TextLine>'
    body = f"""<TableRegion id="t"><Coords points="0,0 1,1"/><TextRegion id="c"><Coords points="0,0 1,1"/>
    {line.format("a")}</TextRegion></TableRegion><TextRegion id="o">
    <TextRegion id="i">{line.format("b")}</TextRegion>{line.format("c")}
    </TextRegion>"""
    assert sorted(PAGE.read(page_xml(body)).text) == ["\n", "\n", "a", "b", "c"]


@pytest.mark.parametrize(
    ("form", "data", "message"),
    [
        (ALTO, b"<alto/>", "holds 0 pages"),
        (ALTO, b"<alto><Layout><Page/><Page/></Layout></alto>", "holds 2 pages"),
        (ALTO, alto('<TextBlock><TextLine BASELINE="1 2 3"/></TextBlock>'), "odd number"),
        (ALTO, alto('<TextBlock><TextLine BASELINE="1 x"/></TextBlock>'), "no number: 'x'"),
        (ALTO, alto('<TextBlock HPOS="nan" VPOS="0" WIDTH="1" HEIGHT="1"/>'), "no number: 'nan'"),
        (ALTO, alto("", size='WIDTH="1e400"'), "WIDTH is no number"),
        (PAGE, b"<PcGts/>", "without a <Page>"),
        (PAGE, page_xml('<TextRegion><Coords points="1,2 3"/></TextRegion>'), "odd number"),
        (PAGE, page_xml('<TextRegion><Coords points="1,2 3,b"/></TextRegion>'), "no number: 'b'"),
    ],
)
def test_damage_is_named(form, data, message):
    with pytest.raises(FormatError, match=message):
        form.read(data)


def test_confidences_that_are_none_lose_no_page():
    page = ALTO.read(
        alto('<TextBlock><TextLine><String CONTENT="a" WC="high"/><String CONTENT="b" WC="7"/></TextLine></TextBlock>')
    )
    assert [word.confidence for word in page.lines[0].words] == [1.0, 1.0]
