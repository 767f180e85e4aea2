//! The charts, as pictures.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::growth::Growth;

const SIZE: (u32, u32) = (640, 400);
const BLUE: RGBColor = RGBColor(31, 97, 163);
const GREY: RGBColor = RGBColor(150, 150, 150);

/// Draws the curve into `charts/`, beside a straight line.
pub fn draw(growth: &Growth) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all("charts")?;
    let path = format!("charts/{}.svg", growth.file);
    let area = SVGBackend::new(&path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    if growth.logarithmic {
        logarithmic(growth, &area)?
    } else {
        plain(growth, &area)?
    }
    area.present()?;
    Ok(())
}

fn plain(growth: &Growth, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn Error>> {
    let (first, last) = ends(growth);
    let top = growth.points.iter().map(|point| point.1).fold(0.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .margin_right(40)
        .caption(growth.title.replace('`', ""), ("sans-serif", 18))
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..last.0, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc(growth.over)
        .y_desc(growth.unit)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    let straight = if growth.flat { [first, (last.0, first.1)] } else { [first, last] };
    chart.draw_series(LineSeries::new(straight, GREY.stroke_width(1)))?;
    chart.draw_series(LineSeries::new(growth.points.clone(), BLUE.stroke_width(2)))?;
    chart.draw_series(growth.points.iter().map(|point| Circle::new(*point, 3, BLUE.filled())))?;
    Ok(())
}

fn logarithmic(growth: &Growth, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn Error>> {
    let (first, last) = ends(growth);
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .margin_right(40)
        .caption(growth.title, ("sans-serif", 18))
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d((first.0..last.0).log_scale(), (first.1 / 2.0..last.1 * 2.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc(growth.over)
        .y_desc(growth.unit)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y}"))
        .light_line_style(WHITE)
        .draw()?;
    // As much a line as the longest run takes.
    let straight = [(first.0, last.1 / last.0 * first.0), last];
    chart.draw_series(LineSeries::new(straight, GREY.stroke_width(1)))?;
    chart.draw_series(LineSeries::new(growth.points.clone(), BLUE.stroke_width(2)))?;
    chart.draw_series(growth.points.iter().map(|point| Circle::new(*point, 3, BLUE.filled())))?;
    Ok(())
}

fn ends(growth: &Growth) -> ((f64, f64), (f64, f64)) {
    (growth.points[0], growth.points[growth.points.len() - 1])
}
